"""The functions that the graph of an exported network may call."""

from __future__ import annotations

__all__ = ["ATEN", "OPERATOR"]

# Arithmetic and layers, without functions that open files (from_file, save) or access memory.
ATEN = frozenset(
    """
    linear addmm mm matmul bmm baddbmm mv dot einsum bilinear conv1d convolution
    relu relu_ relu6 relu6_ leaky_relu leaky_relu_ elu elu_ selu selu_ celu celu_ gelu silu silu_
    mish mish_ softplus softsign hardtanh hardtanh_ hardsigmoid hardswish hardswish_ prelu glu
    threshold log_sigmoid tanh tanh_ sigmoid sigmoid_ softmax log_softmax _softmax _log_softmax
    logsumexp batch_norm _native_batch_norm_legit_no_training layer_norm native_layer_norm
    group_norm native_group_norm rms_norm dropout dropout_ alpha_dropout
    scaled_dot_product_attention embedding one_hot
    flatten unflatten view reshape _unsafe_view squeeze unsqueeze transpose t permute contiguous
    expand expand_as repeat cat concat stack hstack split split_with_sizes chunk unbind slice
    select index_select index narrow gather movedim
    add add_ sub sub_ mul mul_ div div_ rsub neg reciprocal square pow exp expm1 log log1p log2
    sqrt rsqrt abs sign floor ceil round erf sin cos clamp clamp_min clamp_max minimum maximum
    addcmul addcdiv lerp remainder fmod where masked_fill nan_to_num
    sum mean var std amax amin max min argmax argmin prod cumsum norm linalg_vector_norm
    eq ne lt le gt ge logical_and logical_or logical_not bitwise_and bitwise_or bitwise_not
    to _to_copy type_as clone detach detach_ alias lift_fresh_copy _assert_tensor_metadata
    zeros ones full zeros_like ones_like full_like arange scalar_tensor sym_size bucketize
    """.split()  # noqa: SIM905 - easier to read than quoted words
)
OPERATOR = frozenset(
    """
    getitem add sub mul floordiv truediv mod pow neg eq ne lt le gt ge
    """.split()  # noqa: SIM905
)
