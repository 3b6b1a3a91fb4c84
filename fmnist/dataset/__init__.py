"""What every stage that computes uses: classes, images, files of arrays and pinned versions.

A change here reruns preprocess, train, evaluate and plot.
"""
