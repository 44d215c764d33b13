"""How well attribution methods predict what retraining would show: data sets, truths, methods, one table."""
