noinst_LIBRARIES += libimages.a
libimages_a_SOURCES = \
	images/image.h
libimages_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
