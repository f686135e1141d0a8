"""The improvement report: what became of a program in some days, against as many days before."""
