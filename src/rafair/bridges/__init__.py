"""Bridges to other libraries, one file and one extra each; nothing here is imported unasked.

``fairlearn``, ``mlflow``, ``skops`` and ``hugging_face`` show a finished run there; ``art`` takes
attacks to and from the Adversarial Robustness Toolbox.
"""
