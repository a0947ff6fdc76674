# The targets of the control and guest packets; see local.mk.
