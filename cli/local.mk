# Everything but `hearth image`, whose libcrypto would cost each start 0.7 ms: that command lives in
# libexec/hearth/hearth-image, the same program with the images floor linked in.
noinst_LIBRARIES += libcli.a
libcli_a_SOURCES = \
	cli/bench.c cli/bench.h \
	cli/bench_floor.c \
	cli/cli.c cli/cli.h \
	cli/commands.c \
	cli/down.c \
	cli/exec.c \
	cli/image_program.c \
	cli/inside.c cli/inside.h \
	cli/instance.c cli/instance.h \
	cli/parse.c cli/parse.h \
	cli/pool.c \
	cli/query.c cli/query.h \
	cli/progress.c cli/progress.h \
	cli/rpc_link.c cli/rpc_link.h \
	cli/run.c \
	cli/sandbox.c \
	cli/sandbox_kill.c \
	cli/table.c cli/table.h \
	cli/up.c \
	cli/version.c
libcli_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SMARTCOLS_CFLAGS) \
	-DHEARTH_SBINDIR='"$(sbindir)"'
cli_libraries = libcli.a libjail.a librpc.a libproto.a libbase.a
cli_system_libraries = $(JANSSON_LIBS) $(SMARTCOLS_LIBS)

bin_PROGRAMS += hearth
hearth_SOURCES = cli/main.c
hearth_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
hearth_LDADD = $(cli_libraries) $(cli_system_libraries)

pkglibexec_PROGRAMS = hearth-image
# Its own cli_image() comes before the library's, which would exec it.
hearth_image_SOURCES = cli/main.c cli/image.c
hearth_image_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
hearth_image_LDADD = libimages.a $(cli_libraries) $(cli_system_libraries) $(CRYPTO_LIBS)
