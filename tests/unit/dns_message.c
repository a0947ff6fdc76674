/* Questions of hostile sandboxes, and the answers to them, byte by byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/message.h"

#define HEADER_SIZE 12

struct packet {
	uint8_t bytes[1024];
	size_t size;
};

/* id 0x1234, RD, one question for this name, type 1, class 1. */
static struct packet question(const char *name, size_t size)
{
	static const uint8_t header[HEADER_SIZE] = {0x12, 0x34, 0x01, 0x00, 0, 1};
	static const uint8_t end[] = {0, 1, 0, 1};
	struct packet p = {.size = HEADER_SIZE + size + sizeof(end)};

	memcpy(p.bytes, header, sizeof(header));
	memcpy(p.bytes + HEADER_SIZE, name, size);
	memcpy(p.bytes + HEADER_SIZE + size, end, sizeof(end));
	return p;
}

/* With the terminator of the literal as the root. */
#define QUESTION(name) question(name, sizeof(name))

static int parse(const struct packet *p, struct message_question *ret_question)
{
	/* Not a byte longer, for whoever watches the bounds. */
	uint8_t *copy = test_malloc(p->size ? p->size : 1);
	int r;

	memcpy(copy, p->bytes, p->size);
	memset(ret_question, 0x55, sizeof(*ret_question));
	r = message_parse(copy, p->size, ret_question);
	test_free(copy);
	return r;
}

static void a_question_is_read(void **state)
{
	struct packet p = QUESTION("\3wWw\7example\3org");
	struct message_question q;

	(void)state;
	p.bytes[p.size - 3] = 28;
	assert_int_equal(parse(&p, &q), 0);
	assert_int_equal(q.id, 0x1234);
	assert_true(q.is_recursive);
	assert_int_equal(q.type, 28);
	assert_int_equal(q.class, 1);
	assert_string_equal(q.name, "wWw.example.org");
	assert_int_equal(q.size, p.size - HEADER_SIZE);
	assert_memory_equal(q.bytes, p.bytes + HEADER_SIZE, q.size);
	p.bytes[2] = 0;
	assert_int_equal(parse(&p, &q), 0);
	assert_false(q.is_recursive);
}

static void the_root_is_an_empty_name(void **state)
{
	struct packet p = QUESTION("");
	struct message_question q;

	(void)state;
	assert_int_equal(parse(&p, &q), 0);
	assert_string_equal(q.name, "");
	assert_int_equal(q.size, 5);
}

static void what_follows_the_question_means_nothing(void **state)
{
	struct packet p = QUESTION("\4test");
	struct message_question q;

	(void)state;
	memset(p.bytes + p.size, 0xff, 300);
	p.size += 300;
	p.bytes[11] = 1; /* an additional record, as EDNS has */
	assert_int_equal(parse(&p, &q), 0);
	assert_string_equal(q.name, "test");
	assert_int_equal(q.size, 10);
}

static void a_packet_cut_anywhere_is_refused(void **state)
{
	struct packet p = QUESTION("\3www\4test");
	struct message_question q;

	(void)state;
	assert_int_equal(parse(&p, &q), 0);
	while (p.size-- > 0)
		assert_int_equal(parse(&p, &q), -EBADMSG);
}

static void only_standard_queries_with_one_question_are_read(void **state)
{
	struct message_question q;

	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) {
		struct packet p = QUESTION("\4test");

		p.bytes[2] = (uint8_t)flags;
		assert_int_equal(parse(&p, &q), flags & 0xf8 ? -EBADMSG : 0);
	}
	for (unsigned count = 0; count < 65536; count += 255) {
		struct packet p = QUESTION("\4test");

		p.bytes[4] = (uint8_t)(count >> 8);
		p.bytes[5] = (uint8_t)count;
		assert_int_equal(parse(&p, &q), count == 1 ? 0 : -EBADMSG);
	}
}

static void references_and_long_labels_are_refused(void **state)
{
	struct message_question q;

	(void)state;
	for (unsigned length = 64; length < 256; length++) {
		struct packet p = QUESTION("\4test");

		p.bytes[HEADER_SIZE] = (uint8_t)length;
		memset(p.bytes + p.size, 0, 512);
		p.size += 512;
		assert_int_equal(parse(&p, &q), -EBADMSG);
		p = QUESTION("\4test");
		p.bytes[HEADER_SIZE + 5] = (uint8_t)length; /* behind a label */
		p.size += 512;
		assert_int_equal(parse(&p, &q), -EBADMSG);
	}
}

/* Labels of 63 until the name has that many bytes with the root. */
static struct packet long_name(size_t size)
{
	char name[300];

	for (size_t i = 0, left = size - 1; left > 0; left = size - 1 - i) {
		size_t label = left > 64 ? 64 : left;

		name[i] = (char)(label - 1);
		memset(name + i + 1, 0xff, label - 1);
		i += label;
	}
	name[size - 1] = '\0';
	return question(name, size);
}

static void the_longest_name_is_read_though_all_its_bytes_are_escaped(void **state)
{
	struct packet p = long_name(MESSAGE_NAME_MAX);
	struct message_question q;

	(void)state;
	assert_int_equal(parse(&p, &q), 0);
	assert_int_equal(q.size, sizeof(q.bytes));
	assert_int_equal(strlen(q.name), 4 * 250 + 3);
	assert_true(strlen(q.name) < sizeof(q.name));
	p = long_name(MESSAGE_NAME_MAX + 1);
	assert_int_equal(parse(&p, &q), -EBADMSG);
}

static void bytes_that_could_be_misread_are_escaped(void **state)
{
	static const char name[] = "\011a.b\\c\0\n\x7f\xff\002 -";
	struct packet p = question(name, sizeof(name));
	struct message_question q;

	(void)state;
	assert_int_equal(parse(&p, &q), 0);
	assert_string_equal(q.name, "a\\046b\\092c\\000\\010\\127\\255.\\032-");
}

static struct message_question test_question(void)
{
	struct packet p = QUESTION("\4tEst");
	struct message_question q;

	assert_int_equal(parse(&p, &q), 0);
	return q;
}

#define QUESTION_BYTES 4, 't', 'E', 's', 't', 0, 0, 1, 0, 1

static void an_answer_without_records_repeats_the_question(void **state)
{
	static const uint8_t expected[] = {
		0x12, 0x34, 0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0, QUESTION_BYTES};
	struct message_answer answer = {.code = MESSAGE_NXDOMAIN};
	struct message_question q = test_question();
	uint8_t packet[MESSAGE_MAX];

	(void)state;
	assert_int_equal(message_build(&q, &answer, packet), sizeof(expected));
	assert_memory_equal(packet, expected, sizeof(expected));
	q.is_recursive = false;
	answer.code = MESSAGE_REFUSED;
	message_build(&q, &answer, packet);
	assert_int_equal(packet[2], 0x80);
	assert_int_equal(packet[3], 0x85);
}

static void addresses_are_a_record_each_under_the_name_of_the_question(void **state)
{
	static const uint32_t addresses[] = {0x01020304, 0xfffefdfc};
	static const uint8_t expected[] = {0x12, 0x34, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0,
		QUESTION_BYTES, 0xc0, 12, 0, 1, 0, 1, 0x01, 0x02, 0x03, 0x04, 0, 4, 1, 2, 3, 4,
		0xc0, 12, 0, 1, 0, 1, 0x01, 0x02, 0x03, 0x04, 0, 4, 0xff, 0xfe, 0xfd, 0xfc};
	const struct message_answer answer = {
		.code = MESSAGE_OK, .ttl = 0x01020304, .count = 2, .addresses = addresses};
	struct message_question q = test_question();
	uint8_t packet[MESSAGE_MAX];

	(void)state;
	assert_int_equal(message_build(&q, &answer, packet), sizeof(expected));
	assert_memory_equal(packet, expected, sizeof(expected));
}

static void a_host_is_one_record_with_its_name(void **state)
{
	static const uint8_t expected[] = {0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0,
		QUESTION_BYTES, 0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 7, 0, 10, 1, 'a', 6, 'x', '-', 'y',
		'_', '1', '2', 0};
	const struct message_answer answer = {.code = MESSAGE_OK, .ttl = 7, .host = "a.x-y_12"};
	struct message_question q = test_question();
	uint8_t packet[MESSAGE_MAX];

	(void)state;
	assert_int_equal(message_build(&q, &answer, packet), sizeof(expected));
	assert_memory_equal(packet, expected, sizeof(expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_read),
		cmocka_unit_test(the_root_is_an_empty_name),
		cmocka_unit_test(what_follows_the_question_means_nothing),
		cmocka_unit_test(a_packet_cut_anywhere_is_refused),
		cmocka_unit_test(only_standard_queries_with_one_question_are_read),
		cmocka_unit_test(references_and_long_labels_are_refused),
		cmocka_unit_test(the_longest_name_is_read_though_all_its_bytes_are_escaped),
		cmocka_unit_test(bytes_that_could_be_misread_are_escaped),
		cmocka_unit_test(an_answer_without_records_repeats_the_question),
		cmocka_unit_test(addresses_are_a_record_each_under_the_name_of_the_question),
		cmocka_unit_test(a_host_is_one_record_with_its_name),
	};

	return cmocka_run_group_tests_name("dns_message", tests, NULL, NULL);
}
