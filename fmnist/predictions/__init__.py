"""What evaluation and plots share: predicted probabilities and their calibration.

A change here reruns evaluate and plot.
"""
