noinst_LIBRARIES += libimages.a
# What needs libcrypto stands in files of its own: who only opens images does not link it.
libimages_a_SOURCES = \
	images/build.c images/build.h \
	images/digest.c images/digest.h \
	images/file_list.c images/file_list.h \
	images/image.c images/image.h \
	images/manifest.c images/manifest.h \
	images/manifest_draft.c \
	images/recipe.c images/recipe.h \
	images/recipe_find.c \
	images/store.c images/store.h \
	images/tree.c images/tree.h \
	images/verify.c
libimages_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)

recipesdir = $(pkgdatadir)/recipes
dist_recipes_SCRIPTS = images/recipes/base.sh images/recipes/tiny.sh

# /bin/true of the tiny image.
pkglibexec_SCRIPTS += images/tiny-true
EXTRA_DIST += images/tiny_true.c
CLEANFILES += images/tiny-true
images/tiny-true: images/tiny_true.c
	$(AM_V_GEN)$(MKDIR_P) images && $(MUSL_CC) -static -Os -s -o $@ $(top_srcdir)/images/tiny_true.c
