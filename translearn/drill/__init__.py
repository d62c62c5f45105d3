"""The drill: a tiny study on a simulated cluster, through fault after fault, compared with an undisturbed run."""
