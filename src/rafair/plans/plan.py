"""What an audit is asked to do, checked before anything runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rafair.checks import check_number, check_one_of, check_positive, check_whole
from rafair.plans import values
from rafair.plans.options import documented, option, options_of

if TYPE_CHECKING:
    from rafair.datasets import Dataset
    from rafair.models import Access
    from rafair.problem import BatchSize, Counterparts, PerturbationSpace
    from rafair.problem.space import Setting
    from rafair.schema import Schema

__all__ = ["LARGEST_RANDOM_STATE", "OWN_EPSILON", "Plan", "Select"]

Select: TypeAlias = Literal["last", "worst", "pooled"]
SELECTS: tuple[Select, ...] = ("last", "worst", "pooled")
LARGEST_RANDOM_STATE = 2**32 - 1
NUMBER = (int, float)
# ε on own data: a share of each feature's range.
OWN_EPSILON = 0.1
# Time that the proofs of an audit may take by default.
SECONDS_PER_SEED, LEAST_SECONDS = 0.3, 10.0
# Where an audit with a curve proves, as shares of its ε.
CURVE = (0.05, 0.25, 0.5, 1.0)


@documented
@dataclass(frozen=True)
class Plan:
    """The parameters of an audit: the one place that names, defaults, checks and documents them.

    ``rafair.audit`` takes them as keywords, ``rafair audit`` as options and ``plan.toml`` in its
    section ``[audit]``. To add one, add a field here.

    Parameters
    ----------
    **options : the fields of ``Plan``

    Raises
    ------
    InvalidInput
        If a name is unknown or a number is negative, not finite or not whole where it must be.
    """

    attacks: tuple[str, ...] = option(
        ("rafair",),
        "str or sequence of str, optional",
        'Families (``"rafair"``: its three modes and the worst of them; ``"pgd"``, ``"adf"``, …) '
        'or single rows (``"rafair-ff"``). By default ``"rafair"`` for a model with gradients, '
        'with ``"square"`` beside it where categories may switch; ``"boxes"`` for one of trees; '
        'else ``"square"``. Every guard is attacked by ``"adaptive"`` too.',
        help="An attack or one of its rows; repeatable",
        types=(list,),
        check=values.check_attacks,
        flag="--attack",
        usual="rafair; without gradients boxes for trees, else square",
        by_data=True,
    )
    n_seeds: int | None = option(
        200,
        "int, optional",
        "Number of k-means seeds (``choose_seeds``), by default 200 or as many as there are; None "
        "takes the whole test split.",
        help="Seeds from the test split",
        types=(int,),
        check=lambda _, value: check_whole("n_seeds", value, 1),
        also="--seeds",
        word=("all", None),
        usual="200, or as many as there are",
    )
    random_state: int = option(
        0,
        "int",
        "For the seeds, sampled counterparts and attacks that draw random numbers.",
        help="Of seeds and samples",
        types=(int,),
        check=partial(check_whole, least=0, most=LARGEST_RANDOM_STATE),
    )
    steps: int = option(
        20,
        "int",
        "Iterations of every attack that has them.",
        help="Iterations",
        types=(int,),
        check=partial(check_whole, least=0),
    )
    step_size: float = option(
        0.01,
        "float",
        "Length of an iteration's step, as a share of each feature's range: by default 0.01, on "
        "own data at least ``epsilon / steps``. APGD and ACG find their step themselves, and FGSM "
        "takes one step: for them it only gives ε.",
        help="Step, a share of each range",
        types=NUMBER,
        check=check_number,
    )
    epsilon: float | None = option(
        None,
        "float, optional",
        "Radius of Δ as a share of each feature's range; by default 0.1 on own data, and "
        "``steps * step_size`` on the benchmarks, which is 0.2, as in the paper.",
        help="Radius, a share of each range",
        types=NUMBER,
        check=check_number,
        usual="0.1; on benchmarks steps x step, 0.2",
    )
    loss: str | None = option(
        None,
        '{"mse", "cross_entropy", "margin"}, optional',
        "For attacks that have one; by default each attack's own.",
        help="mse, cross_entropy or margin",
        types=(str,),
        check=values.check_loss,
        usual="each attack's own",
    )
    setting: Setting = option(
        "paper",
        '{"paper", "feasible"}, optional',
        "What may be perturbed; by default *paper* on the benchmarks and *feasible* on own data.",
        help="paper or feasible",
        types=(str,),
        check=values.check_setting,
        usual="paper on benchmarks, feasible on plans",
        by_data=True,
    )
    select: Select = option(
        "last",
        '{"last", "worst", "pooled"}',
        "Judge the last iterate; count a seed as broken if any iterate, itself included, is (rows "
        "``NAME@worst``); or count every iterate but the seed (rows ``NAME@pooled``).",
        help="Judge the last, the worst or every iterate: last, worst or pooled",
        types=(str,),
        check=partial(check_one_of, known=SELECTS),
    )
    counterparts: int | None = option(
        None,
        "int, optional",
        "Sample so many combinations of I(v) instead of enumerating all.",
        help="Combinations of sensitive values per person",
        types=(int,),
        check=partial(check_whole, least=1),
        word=("all", None),
        usual="all",
    )
    batch_size: BatchSize = option(
        "auto",
        'int or "auto"',
        "Rows that go through the model at once; the result does not depend on it.",
        help="Rows per model call",
        types=(int,),
        check=values.check_batch_size,
        word=("auto", "auto"),
        identifies=False,
    )
    queries: int = option(
        5_000,
        "int",
        "Rows that an attack without gradients may ask about, per seed and variant.",
        help="Rows per seed that attacks without gradients ask about",
        types=(int,),
        check=partial(check_whole, least=1),
    )
    certify: bool | None = option(
        None,
        "bool, optional",
        "Prove, beside the attacks, for whom nothing in I(v) × Δ changes anything "
        "(``rafair.certify``). By default wherever the model has certificates; True refuses a "
        "model that has none.",
        help="Prove for whom nothing breaks it",
        types=(bool,),
        check=values.check_switch,
        usual="where the model has certificates",
        identifies=False,
    )
    curve: bool = option(
        False,
        "bool",
        "Prove at three smaller ε too.",
        help="Prove at three smaller ε too",
        types=(bool,),
        check=values.check_switch,
        usual="no",
        identifies=False,
    )
    max_seconds: float | None = option(
        None,
        "float, optional",
        "Time for the proofs of an audit, in seconds, by default 0.3 per seed and at least 10. "
        "What is open by then is undecided, and the result says so.",
        help="Seconds that the proofs may take",
        types=NUMBER,
        check=check_positive,
        usual="0.3 per seed, at least 10",
        identifies=False,
    )
    max_nodes: int = option(
        5_000,
        "int",
        "Boxes that a certificate may bound, per instance, claim and ε.",
        help="Boxes to bound per person, claim and radius",
        types=(int,),
        check=partial(check_whole, least=1),
        identifies=False,
    )

    def __post_init__(self) -> None:
        for name, known in options_of(Plan).items():
            value = getattr(self, name)
            may_be_none = known.word is not None or Plan.__dataclass_fields__[name].default is None
            if value is not None or not may_be_none:
                known.check(name, value)
        check_number("epsilon", self.radius)

    @classmethod
    def of(
        cls,
        data: Dataset,
        access: Access,
        *,
        has_trees: bool = False,
        is_guard: bool = False,
        **options: Any,
    ) -> Plan:
        """Return a plan for data and a model's access: seeds, ε, attacks and setting fit them.

        Parameters
        ----------
        has_trees, is_guard : bool
            Whether the model is of trees that can be searched; and whether it is a guard, which
            one who knows it attacks too, whatever else does.
        options
            Fields of a plan; ``attacks`` and ``setting`` may be None, and ``attacks`` may be one
            name.
        """
        options.setdefault("n_seeds", min(cls.n_seeds or len(data.test), len(data.test)))
        if not data.is_benchmark:
            options = cls._on_own_data(options)
        attacks = options.pop("attacks", None)
        setting = options.pop("setting", None)
        if setting is None:
            setting = data.schema.setting
        if attacks is None:
            switches = setting == "feasible" and any(f.switch for f in data.schema.features)
            # Gradients go through the levels of a category in their order; a search tries any.
            attacks = ("rafair", "square") if switches else ("rafair",)
            if access != "gradient":
                attacks = ("boxes",) if has_trees else ("square",)
        elif isinstance(attacks, str):
            attacks = (attacks,)
        if is_guard and "adaptive" not in attacks:
            attacks = (*attacks, "adaptive")
        return cls(attacks=tuple(attacks), setting=setting, **options)

    @classmethod
    def _on_own_data(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Add ε, and a step by which an attack reaches it."""
        found = {**options, "epsilon": options.get("epsilon")}
        if found["epsilon"] is None:
            found["epsilon"] = OWN_EPSILON
        steps = found.get("steps", cls.steps)
        numbers = (found["epsilon"], steps)
        if "step_size" not in found and steps and all(isinstance(n, int | float) for n in numbers):
            found["step_size"] = max(cls.step_size, found["epsilon"] / steps)
        return found

    @property
    def measure(self) -> str:
        """The loss by which counterparts are compared and instances repaired."""
        return self.loss or "mse"

    @property
    def radius(self) -> float:
        """ε in unit space: as given, or as far as the steps reach."""
        return self.steps * self.step_size if self.epsilon is None else self.epsilon

    @property
    def radii(self) -> tuple[float, ...]:
        """Every ε at which an audit proves, in growing order; the last one is its own."""
        return tuple(sorted({share * self.radius for share in CURVE if self.curve or share == 1}))

    def proof_seconds(self, n_seeds: int) -> float:
        """Return the time that the proofs of an audit may take."""
        if self.max_seconds is not None:
            return self.max_seconds
        return max(LEAST_SECONDS, SECONDS_PER_SEED * n_seeds)

    def space(self, schema: Schema) -> PerturbationSpace:
        """Return Δ."""
        from rafair.problem import PerturbationSpace

        return PerturbationSpace.of(schema, self.radius, self.setting)

    def control(self) -> Plan:
        """Return the same plan with the whole domain as Δ."""
        return replace(self, epsilon=1.0, step_size=max(self.step_size, 1 / max(self.steps, 1)))

    def people(self, schema: Schema, only: str | None = None) -> Counterparts:
        """Return I(v), along one sensitive feature or all of them."""
        from rafair.problem import Counterparts

        return Counterparts.of(
            schema, only=only, sample=self.counterparts, random_state=self.random_state
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values, ε always as a number."""
        return {**asdict(self), "attacks": list(self.attacks), "epsilon": self.radius}

    def identity(self) -> dict[str, Any]:
        """Return the parameters that a result depends on, as JSON values."""
        return {
            name: value
            for name, value in self.as_dict().items()
            if options_of(Plan)[name].identifies
        }
