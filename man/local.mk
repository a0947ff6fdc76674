dist_man_MANS += man/hearth.1 man/hearth-doctor.1 man/hearth-image.1 man/nsjail-lite.1
