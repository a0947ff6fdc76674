noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	base/cleanup.h \
	base/clock.h \
	base/config.c base/config.h \
	base/config_value.c base/config_value.h \
	base/drop.c base/drop.h \
	base/error.c base/error.h \
	base/fd.c base/fd.h \
	base/file.c base/file.h \
	base/hash.h \
	base/histogram.c base/histogram.h \
	base/list.h \
	base/log.c base/log.h \
	base/log_rate.c base/log_rate.h \
	base/number.c base/number.h \
	base/process.c base/process.h \
	base/terminal.c base/terminal.h \
	base/text.c base/text.h \
	base/unix_socket.c base/unix_socket.h
libbase_a_CPPFLAGS = $(AM_CPPFLAGS) $(INIH_CFLAGS)
