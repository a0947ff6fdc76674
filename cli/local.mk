# Everything but `hearth image`, whose libcrypto would cost each start 0.7 ms, and `hearth doctor`, which
# makes sandboxes: these commands live in libexec/hearth/hearth-image and hearth-doctor, the same program
# with the images floor, or the jail, linked in.
noinst_LIBRARIES += libcli.a
libcli_a_SOURCES = \
	cli/agent.c \
	cli/ask.c cli/ask.h \
	cli/bench.c cli/bench.h \
	cli/bench_client.c cli/bench_client.h \
	cli/bench_command.c cli/bench_command.h \
	cli/bench_compare.c \
	cli/bench_csv.c \
	cli/bench_environment.c cli/bench_environment.h \
	cli/bench_figures.c cli/bench_figures.h \
	cli/bench_floor.c cli/bench_floor.h \
	cli/bench_json.c \
	cli/bench_report.c cli/bench_report.h \
	cli/bench_run.c cli/bench_run.h \
	cli/bench_sample.c cli/bench_sample.h \
	cli/bench_stats.c cli/bench_stats.h \
	cli/bench_svg.c cli/bench_svg.h \
	cli/bench_worker.c cli/bench_worker.h \
	cli/chat.c \
	cli/chat_view.c cli/chat_view.h \
	cli/cli.c cli/cli.h \
	cli/commands.c \
	cli/doctor_program.c \
	cli/down.c \
	cli/exec.c \
	cli/image_program.c \
	cli/init.c \
	cli/init_files.c cli/init_files.h \
	cli/inside.c cli/inside.h \
	cli/instance.c cli/instance.h \
	cli/instance_stop.c \
	cli/key.c \
	cli/lease_options.c cli/lease_options.h \
	cli/log_reason.c cli/log_reason.h \
	cli/moment.c cli/moment.h \
	cli/parse.c cli/parse.h \
	cli/plain.c cli/plain.h \
	cli/pool.c \
	cli/pool_set.c \
	cli/query.c cli/query.h \
	cli/program.c \
	cli/progress.c cli/progress.h \
	cli/project_folder.c cli/project_folder.h \
	cli/rpc_link.c cli/rpc_link.h \
	cli/run.c \
	cli/sandbox.c \
	cli/sandbox_inspect.c \
	cli/sandbox_kill.c \
	cli/sandbox_net.c \
	cli/session.c \
	cli/start.c \
	cli/start_model.c cli/start_model.h \
	cli/start_report.c cli/start_report.h \
	cli/table.c cli/table.h \
	cli/top.c \
	cli/top_view.c cli/top_view.h \
	cli/up.c \
	cli/up_config.c cli/up_config.h \
	cli/up_start.c cli/up_start.h \
	cli/version.c
libcli_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SMARTCOLS_CFLAGS) \
	-DHEARTH_SBINDIR='"$(sbindir)"'
# The commit that bench's figures are of: looked at in each build, written when it is another.
cli/commit.h: FORCE
	@test -d cli || mkdir cli
	@commit=`git -C $(srcdir) --no-optional-locks describe --always --dirty 2>/dev/null || echo unknown`; \
	echo "#define HEARTH_COMMIT \"$$commit\"" >$@.new; \
	if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi
FORCE:
.PHONY: FORCE
cli/libcli_a-bench_environment.$(OBJEXT): cli/commit.h
CLEANFILES += cli/commit.h
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
