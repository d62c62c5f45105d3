"""The claims of a study: target error, transfer gain, calibration and forgetting, each with its interval.

Letters in shapes: N examples, C classes, S seeds. Errors and gains are fractions in [0, 1] and [-1, 1].
"""
