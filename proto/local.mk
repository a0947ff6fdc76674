noinst_LIBRARIES += libproto.a librpc.a
libproto_a_SOURCES = \
	proto/channel.c proto/channel.h \
	proto/check.c proto/check.h \
	proto/console.c proto/console.h \
	proto/control.c proto/control.h \
	proto/control_call.c \
	proto/control_client.c proto/control_client.h proto/control_client_private.h \
	proto/dns.c proto/dns.h \
	proto/guest.c proto/guest.h \
	proto/guest_client.c proto/guest_client.h proto/guest_client_private.h \
	proto/guest_packet.c \
	proto/guest_request.c \
	proto/guest_table.c proto/guest_table.h \
	proto/limit_text.c proto/limit_text.h \
	proto/network.c proto/network.h \
	proto/stat.c proto/stat.h \
	proto/stream.c proto/stream.h \
	proto/instance.c proto/instance.h

# JSON ends in agentd: a library of its own, so that nothing else can link it by accident.
librpc_a_SOURCES = proto/base64.c proto/base64.h proto/receipt.c proto/receipt.h \
	proto/rpc.c proto/rpc.h proto/rpc_encode.c
librpc_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
EXTRA_DIST += proto/PROTOCOL.md
