/* Any bytes as a packet of control.sock, from either side: refused, or such that it can be used. */
#include "base/text.h"
#include "proto/control.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/packet.h"

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* What the supervisor relies on without looking again. */
static void use_request(uint16_t type, const void *packet)
{
	if (type == CONTROL_ACQUIRE) {
		const struct control_acquire *m = packet;

		expect(!m->template_name[0] ||
			text_is_name(m->template_name, sizeof(m->template_name) - 1));
		expect(!m->net[0] || text_is_name(m->net, sizeof(m->net) - 1));
		expect(m->on_empty <= ON_EMPTY_FAIL && m->lease_ms <= CONTROL_DEADLINE_MAX);
		expect(!m->workspace[0] || text_is_name(m->workspace, sizeof(m->workspace) - 1));
		expect(!m->hostname[0] || text_is_name(m->hostname, sizeof(m->hostname) - 1));
		expect(m->count <= CONTROL_BATCH_MAX && (m->count <= 1 || !m->workspace[0]));
	} else if (type == CONTROL_POOL_SET) {
		const struct control_pool_set *m = packet;

		expect(text_is_name(m->template_name, sizeof(m->template_name) - 1));
		expect(m->what >= 1 && m->what <= POOL_SET_ALL);
	} else if (type == CONTROL_WORKSPACE_REMOVE) {
		expect(text_is_name(((const struct control_workspace *)packet)->workspace,
			CONTROL_BIND_MAX - 1));
	} else if (type == CONTROL_NET) {
		expect(text_is_name(((const struct control_net *)packet)->net, CONTROL_NAME_MAX));
	} else if (type == CONTROL_RELEASE || type == CONTROL_TOUCH || type == CONTROL_KILL ||
		   type == CONTROL_INSPECT) {
		expect(((const struct control_lease *)packet)->handle.sandbox != 0);
	}
}

/* What a client relies on. */
static void use_answer(uint16_t type, const void *packet)
{
	switch (type) {
	case CONTROL_LEASED: {
		const struct control_leased *m = packet;

		expect(text_is_name(m->template_name, sizeof(m->template_name) - 1));
		expect(strcmp(control_rung_name(m->rung), "?") != 0);
		break;
	}
	case CONTROL_REFUSED: {
		const struct control_refused *m = packet;

		expect(strlen(m->text) < sizeof(m->text));
		expect(strcmp(control_refusal_name(m->refusal), "?") != 0);
		break;
	}
	case CONTROL_SANDBOX_ROW:
		expect(strcmp(control_state_name(
				      ((const struct control_sandbox_row *)packet)->state),
			       "?") != 0);
		break;
	case CONTROL_SANDBOX_DETAILS: {
		const struct control_sandbox_details *m = packet;

		expect(text_is_name(m->net, sizeof(m->net) - 1));
		expect(strcmp(control_state_name(m->state), "?") != 0);
		break;
	}
	case CONTROL_POOL_ROW: {
		const struct control_pool_row *m = packet;

		expect(m->min <= m->max && strlen(m->broken) < sizeof(m->broken));
		break;
	}
	case CONTROL_LEASE_ENDED:
		expect(strcmp(control_reason_name(
				      ((const struct control_lease_ended *)packet)->reason),
			       "?") != 0);
		break;
	case CONTROL_RECEIPT: {
		const struct control_receipt *m = packet;

		expect(m->handle.sandbox != 0);
		expect(strcmp(control_reason_name(m->reason), "?") != 0);
		break;
	}
	case CONTROL_LEASE_FROZEN:
		expect(((const struct control_lease_frozen *)packet)->handle.sandbox != 0);
		break;
	case CONTROL_STAT_ROW: {
		const struct stat_sample *m = &((const struct control_stat_row *)packet)->sample;

		expect(stat_family_info(m->family) != NULL);
		for (int i = 0; i < STAT_LABELS_MAX; i++)
			expect(strlen(m->labels[i]) < sizeof(m->labels[i]));
		break;
	}
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *packet;
	const struct message_rule *rule = fuzz_packet(&control_protocol, data, size, &packet);

	if (!rule)
		return 0;
	if (rule->direction == MESSAGE_TO_SERVER)
		use_request(rule->type, packet);
	else
		use_answer(rule->type, packet);
	free(packet);
	return 0;
}
