bin_PROGRAMS += hearth
hearth_SOURCES = cli/main.c
hearth_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SMARTCOLS_CFLAGS)
hearth_LDADD = libimages.a libjail.a librpc.a libproto.a libbase.a \
	$(JANSSON_LIBS) $(CRYPTO_LIBS) $(SMARTCOLS_LIBS) $(SECCOMP_LIBS) $(INIH_LIBS)
