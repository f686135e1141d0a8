"""Files that are copied beside a program that leaves Telefine; they import nothing of Telefine.

``programs.packaging`` copies them. Nothing else uses them.
"""
