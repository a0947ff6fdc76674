# Everything but `hearth image`, whose libcrypto would cost each start 0.7 ms, and `hearth doctor`, which
# makes sandboxes: these commands live in libexec/hearth/hearth-image and hearth-doctor, the same program
# with the images floor, or the jail, linked in.
noinst_LIBRARIES += libcli.a
libcli_a_SOURCES = \
	cli/bench.c cli/bench.h \
	cli/bench_floor.c \
	cli/cli.c cli/cli.h \
	cli/commands.c \
	cli/doctor_program.c \
	cli/down.c \
	cli/exec.c \
	cli/image_program.c \
	cli/inside.c cli/inside.h \
	cli/instance.c cli/instance.h \
	cli/lease_options.c cli/lease_options.h \
	cli/parse.c cli/parse.h \
	cli/pool.c \
	cli/query.c cli/query.h \
	cli/program.c \
	cli/progress.c cli/progress.h \
	cli/rpc_link.c cli/rpc_link.h \
	cli/run.c \
	cli/sandbox.c \
	cli/sandbox_inspect.c \
	cli/sandbox_kill.c \
	cli/sandbox_net.c \
	cli/table.c cli/table.h \
	cli/up.c \
	cli/up_config.c cli/up_config.h \
	cli/version.c
libcli_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SMARTCOLS_CFLAGS) \
	-DHEARTH_SBINDIR='"$(sbindir)"'
cli_libraries = libcli.a libjail.a librpc.a libproto.a libbase.a
cli_system_libraries = $(JANSSON_LIBS) $(SMARTCOLS_LIBS)

bin_PROGRAMS += hearth
hearth_SOURCES = cli/main.c
hearth_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
hearth_LDADD = $(cli_libraries) $(cli_system_libraries)

pkglibexec_PROGRAMS += hearth-image hearth-doctor
# Their own cli_image() and cli_doctor() come before the library's, which would exec them.
hearth_image_SOURCES = cli/main.c cli/image.c
hearth_image_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
hearth_image_LDADD = libimages.a $(cli_libraries) $(cli_system_libraries) $(CRYPTO_LIBS)

hearth_doctor_SOURCES = cli/main.c cli/doctor.c
hearth_doctor_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
hearth_doctor_LDADD = $(cli_libraries) $(cli_system_libraries) $(SECCOMP_LIBS)
