images_world = tests/unit/images_world.c tests/unit/images_world.h
images_test_libs = libimages.a libbase.a $(JANSSON_LIBS) $(CRYPTO_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/images_digest.test
tests_unit_images_digest_test_SOURCES = tests/unit/images_digest.c $(images_world)
tests_unit_images_digest_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_digest_test_LDADD = $(images_test_libs)

UNIT_TESTS += tests/unit/images_manifest.test
tests_unit_images_manifest_test_SOURCES = tests/unit/images_manifest.c $(images_world)
tests_unit_images_manifest_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_images_manifest_test_LDADD = $(images_test_libs)

UNIT_TESTS += tests/unit/images_store.test
tests_unit_images_store_test_SOURCES = tests/unit/images_store.c $(images_world)
tests_unit_images_store_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_store_test_LDADD = $(images_test_libs)

# Root: recipes are run in namespaces of their own.
images_fixture = tests/system/images_fixture.c tests/system/images_fixture.h $(images_world)
SYSTEM_BINARIES += tests/system/images_build.test
tests_system_images_build_test_SOURCES = tests/system/images_build.c $(images_fixture)
tests_system_images_build_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_images_build_test_LDADD = $(images_test_libs)

SYSTEM_BINARIES += tests/system/images_changes.test
tests_system_images_changes_test_SOURCES = tests/system/images_changes.c $(images_fixture)
tests_system_images_changes_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_images_changes_test_LDADD = $(images_test_libs)

SYSTEM_TESTS += tests/system/images_cli.py
