# A supervisor without jails, and the real agentd: see tests/unit/agentd_world.py.
check_PROGRAMS += tests/fake/fake_supervisor
tests_fake_fake_supervisor_SOURCES = tests/fake/fake_supervisor.c $(guest_sources)
tests_fake_fake_supervisor_CPPFLAGS = $(AM_CPPFLAGS)
tests_fake_fake_supervisor_LDADD = libproto.a libbase.a
