dist_man_MANS +=
dist_man_MANS += man/hearth-image.1
