# Apart from what needs root and a host, so that tests serve with builders that only pretend.
noinst_LIBRARIES += libsupervisor.a
libsupervisor_a_SOURCES = \
	supervisor/admin_request.c supervisor/admin_request.h \
	supervisor/admission.c supervisor/admission.h \
	supervisor/binding.c supervisor/binding.h \
	supervisor/build_queue.c supervisor/build_queue.h \
	supervisor/builder_link.c supervisor/builder_link.h \
	supervisor/builder_messages.c supervisor/builder_messages.h \
	supervisor/client.c supervisor/client.h \
	supervisor/config.c supervisor/config.h \
	supervisor/control.c supervisor/control.h \
	supervisor/egress.c supervisor/egress.h \
	supervisor/lease.c supervisor/lease.h \
	supervisor/lease_request.c supervisor/lease_request.h \
	supervisor/network.c supervisor/network.h \
	supervisor/outbox.c supervisor/outbox.h \
	supervisor/permission.c supervisor/permission.h \
	supervisor/pool_host.c supervisor/pool_host.h \
	supervisor/refusal.c supervisor/refusal.h \
	supervisor/request.c supervisor/request.h \
	supervisor/sandbox.c supervisor/sandbox.h \
	supervisor/slots.c supervisor/slots.h \
	supervisor/stats.c supervisor/stats.h \
	supervisor/supervisor.c supervisor/supervisor.h \
	supervisor/workspace_child.c supervisor/workspace_child.h \
	supervisor/workspace_removal.c supervisor/workspace_removal.h \
	supervisor/workspace_lock.c supervisor/workspace_lock.h \
	supervisor/workspace_size.c supervisor/workspace_size.h \
	supervisor/workspace_tree.c supervisor/workspace_tree.h \
	supervisor/workspace_watch.c supervisor/workspace_watch.h
libsupervisor_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)

sbin_PROGRAMS += hearth-supervisor
hearth_supervisor_SOURCES = \
	supervisor/directory.c supervisor/directory.h \
	supervisor/host.c supervisor/host.h \
	supervisor/host_check.c supervisor/host_check.h \
	supervisor/host_network.c supervisor/host_network.h \
	supervisor/main.c \
	supervisor/recover.c supervisor/recover.h
hearth_supervisor_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
hearth_supervisor_LDADD = libsupervisor.a libpool.a libimages.a libjail.a libproto.a libbase.a \
	$(EVENT_LIBS) $(SECCOMP_LIBS) $(JANSSON_LIBS) $(INIH_LIBS)

dist_man_MANS += man/hearth-supervisor.8 man/hearth.conf.5
