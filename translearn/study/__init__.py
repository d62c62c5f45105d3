"""A study, step by step: data, sources, search, refit, evaluation, report, in one directory."""
