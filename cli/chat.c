/*
 * chat.c - hearth chat: one turn with an agent, or one after the other on a terminal.
 *
 * agentd runs the agent and sends what it says and does in frames; a run goes on there when we leave. Ctrl-C cancels
 * the run under way, a second one leaves at once.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/chat_view.h"
#include "cli/cli.h"
#include "cli/plain.h"
#include "cli/rpc_link.h"

#define MESSAGE_MAX                                                                                \
	(500 * 1024) /* bytes; a line of the protocol has room for it, with a backslash before each */
#define LINE_MAX_ 4096 /* what a terminal gives at a time */
#define ID_MAX	  64
#define NOTE_MAX  200

struct chat {
	const struct cli *cli;
	struct rpc_link *link;
	struct chat_view view;
	const char *agent;	  /* NULL: the session's */
	char session[ID_MAX + 1]; /* "": a new one */
	bool has_answered;
	/* of the turn under way */
	char run[ID_MAX + 1]; /* "": not told yet */
	json_int_t id;	      /* of its request */
	bool is_over, is_scripted, is_cancel_sent, is_cancelled;
	int interrupts;	     /* of the_interrupts, seen */
	struct error failed; /* code 0: it did not */
};

static volatile sig_atomic_t the_interrupts;

static void on_interrupt(int signal)
{
	(void)signal;
	the_interrupts++;
}

static void catch_interrupts(void)
{
	struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};

	sigaction(SIGINT, &action, NULL);
}

/* Until fd can be read or an interrupt comes that has not been seen; none slips in just before the wait. */
static void wait_for(int fd, int seen)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	sigset_t held, before;

	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigprocmask(SIG_BLOCK, &held, &before);
	if (the_interrupts == seen)
		ppoll(&p, 1, NULL, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void note_id(char *to, size_t size, const char *id)
{
	if (*id)
		text_copy(to, size, id);
}

static int cancel(struct chat *chat, struct error *err)
{
	json_int_t id;

	if (!chat->interrupts || chat->is_cancel_sent || !chat->run[0])
		return 0;
	chat->is_cancel_sent = true;
	return rpc_link_send(
		chat->link, "run.cancel", json_pack("{s:s}", "id", chat->run), &id, err);
}

/* For people only: programs have all of it in the frames. */
static void say_note(struct chat *chat, const char *what, const char *why)
{
	if (chat->cli->json || chat->cli->quiet)
		return;
	fprintf(stderr, "hearth: %s", what);
	plain_print_line(stderr, why, NOTE_MAX);
	fputc('\n', stderr);
}

static void on_end(struct chat *chat, const json_t *frame, const json_t *choice)
{
	const char *finish = text_of(choice, "finish_reason");
	const json_t *error = json_object_get(choice, "error");

	chat->is_cancelled = strcmp(finish, "cancelled") == 0;
	if (error && !chat->is_cancelled)
		error_set(&chat->failed, EIO, "the run failed: %s", text_of(error, "message"));
	chat_view_end_line(&chat->view);
	fflush(stdout);
	if (text_of(frame, "reason")[0])
		say_note(chat, "it stopped: ", text_of(frame, "reason"));
	if (json_is_true(json_object_get(frame, "scripted")) && !chat->is_scripted) {
		chat->is_scripted = true;
		say_note(chat, "a script answers here, not a model", "");
	}
}

static void on_frame(struct chat *chat, const json_t *params)
{
	const json_t *frame = json_object_get(params, "data");
	const json_t *choice = json_array_get(json_object_get(frame, "choices"), 0);

	if (json_integer_value(json_object_get(params, "request")) != chat->id)
		return;
	chat->has_answered = true;
	note_id(chat->session, sizeof(chat->session), text_of(frame, "sessionId"));
	note_id(chat->run, sizeof(chat->run), text_of(frame, "runId"));
	if (chat->cli->json) {
		json_dumpf(frame, stdout, JSON_COMPACT);
		putchar('\n');
		fflush(stdout);
	} else {
		chat_view_frame(&chat->view, frame);
	}
	if (json_is_string(json_object_get(choice, "finish_reason")))
		on_end(chat, frame, choice);
}

static void on_message(struct chat *chat, const struct rpc_message *message)
{
	if (message->kind == RPC_NOTIFICATION && strcmp(message->method, "stream.frame") == 0)
		on_frame(chat, message->params);
	if (!rpc_link_is_answer(message, chat->id))
		return;
	chat->is_over = true;
	if (message->error)
		rpc_link_explain(message->error, &chat->failed);
}

/* The first asks the agent to stop; -EINTR: enough of them. */
static int on_interrupts(struct chat *chat, struct error *err)
{
	int seen = the_interrupts;

	if (seen > 1)
		return error_set(err, EINTR, "interrupted");
	if (seen == chat->interrupts)
		return 0;
	chat->interrupts = seen;
	chat_view_end_line(&chat->view);
	fflush(stdout);
	say_note(chat, "cancelling; Ctrl-C again leaves at once", "");
	return cancel(chat, err);
}

/* Until the answer is there; then chat->failed where something is to be said. */
static int attend(struct chat *chat, struct error *err)
{
	int r = 0;

	while (r == 0 && !chat->is_over) {
		struct rpc_message message;

		r = rpc_link_receive(chat->link, &message, err);
		if (r == 1) {
			on_message(chat, &message);
			rpc_message_finish(&message);
			r = cancel(chat, err);
		} else if (r == 0) {
			wait_for(rpc_link_fd(chat->link), chat->interrupts);
		}
		if (r == 0)
			r = on_interrupts(chat, err);
	}
	chat_view_end_line(&chat->view);
	fflush(stdout);
	return r;
}

/* 0: it has been answered, or chat->failed says why not. -errno: there is nobody to talk to any more. */
static int take_turn(struct chat *chat, const char *text, size_t size, struct error *err)
{
	json_t *content = NULL;
	json_t *params;
	int r;

	if (memchr(text, '\0', size))
		return error_set(err, EILSEQ, "the message has a NUL byte, which is no text");
	content = json_stringn(text, size);
	if (!content)
		return error_set(err, EILSEQ, "the message is not UTF-8");
	params = json_pack("{s:s*, s:s*, s:b, s:[{s:s, s:o}]}", "agent", chat->agent, "sessionId",
		chat->session[0] ? chat->session : NULL, "stream", 1, "messages", "role", "user",
		"content", content);
	chat->run[0] = '\0';
	chat->is_over = chat->is_cancel_sent = chat->is_cancelled = false;
	chat->failed.code = 0;
	chat->interrupts = 0;
	r = rpc_link_send(chat->link, "chat.complete", params, &chat->id, err);
	return r < 0 ? r : attend(chat, err);
}

/* The first of the project, where neither an agent nor a session is named. */
static int find_agent(struct chat *chat, char name[ID_MAX + 1], struct error *err)
{
	json_auto_t *agents = NULL;
	int r;

	if (chat->agent || chat->session[0])
		return 0;
	r = rpc_link_call(chat->link, "agent.list", json_object(), &agents, err);
	if (r < 0)
		return r;
	if (text_copy(name, ID_MAX + 1, text_of(json_array_get(agents, 0), "name")) < 0 || !name[0])
		return error_set(err, ENOENT, "the project has no agent");
	chat->agent = name;
	return 0;
}

/* Lines of the terminal, a turn each, until Ctrl-D, or Ctrl-C while nothing is under way. */
static int converse(struct chat *chat, struct error *err)
{
	int r = 0;

	while (r == 0) {
		char line[LINE_MAX_];
		ssize_t n;

		the_interrupts = 0;
		fputs("hearth> ", stderr);
		wait_for(STDIN_FILENO, 0);
		n = the_interrupts ? 0 : read(STDIN_FILENO, line, sizeof(line));
		if (n <= 0) {
			fputc('\n', stderr);
			return n < 0 ? error_errno(err, "read the terminal") : 0;
		}
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == ' '))
			n--;
		if (n == 0)
			continue;
		r = take_turn(chat, line, (size_t)n, err);
		if (r == -EILSEQ) {
			chat->failed = *err;
			r = 0;
		}
		if (r == 0 && chat->failed.code)
			cli_fail(chat->cli, &chat->failed, NULL);
	}
	return r;
}

/* What stands on the command line, in one text; *ret_text is the caller's. */
static int join_words(char **words, char **ret_text, size_t *ret_size, struct error *err)
{
	FILE *to = open_memstream(ret_text, ret_size);

	if (!to)
		return error_errno(err, "the message");
	for (unsigned i = 0; words[i]; i++)
		fprintf(to, "%s%s", i ? " " : "", words[i]);
	return fclose(to) == 0 ? 0 : error_errno(err, "the message");
}

/* All of standard input, which is no terminal. */
static int read_input(char **ret_text, size_t *ret_size, struct error *err)
{
	auto_free char *text = malloc(MESSAGE_MAX + 1);
	ssize_t n;

	if (!text)
		return error_set(err, ENOMEM, "the message: out of memory");
	n = fd_read_full(STDIN_FILENO, text, MESSAGE_MAX + 1);
	if (n < 0)
		return error_set(err, (int)-n, "read the message: %s", strerror((int)-n));
	if (n > MESSAGE_MAX)
		return error_set(err, EMSGSIZE, "the message has more than %d bytes", MESSAGE_MAX);
	*ret_size = (size_t)n;
	*ret_text = take_ptr(&text);
	return 0;
}

static int talk(struct chat *chat, char **words, struct error *err)
{
	auto_free char *text = NULL;
	char agent[ID_MAX + 1] = "";
	size_t size = 0;
	bool is_prompting = !words[0] && isatty(STDIN_FILENO);
	int r = 0;

	if (words[0])
		r = join_words(words, &text, &size, err);
	else if (!is_prompting)
		r = read_input(&text, &size, err);
	if (r == 0 && !is_prompting && size == 0)
		r = error_set(err, EINVAL, "the message is empty");
	if (r == 0)
		r = ask_open(chat->cli, &chat->link, err);
	if (r == 0)
		r = find_agent(chat, agent, err);
	if (r < 0)
		return r;
	catch_interrupts();
	r = is_prompting ? converse(chat, err) : take_turn(chat, text, size, err);
	if (r == 0 && !is_prompting && chat->failed.code) {
		*err = chat->failed;
		r = -err->code;
	}
	chat->agent = NULL;
	return r;
}

int cli_chat(struct cli *cli, int argc, char **argv)
{
	struct chat chat = {.cli = cli, .agent = cli_option(cli, "agent")};
	const char *session = cli_option(cli, "session");
	struct error err;
	int r;

	(void)argc;
	if (session && (!*session || text_copy(chat.session, sizeof(chat.session), session) < 0))
		return cli_usage_error(cli,
			"--session '%.40s': the id of a session is wanted, see hearth session ls",
			session);
	chat_view_init(&chat.view, stdout);
	r = talk(&chat, argv + 1, &err);
	rpc_link_close(chat.link);
	if (chat.has_answered && !cli->json && !cli->quiet) {
		fprintf(stderr, "session ");
		plain_print_line(stderr, chat.session, ID_MAX);
		fprintf(stderr, ": go on with hearth chat --session ");
		plain_print_line(stderr, chat.session, ID_MAX);
		fputc('\n', stderr);
	}
	if (r < 0)
		return cli_fail(cli, &err, ask_advice(&err));
	return chat.is_cancelled ? CLI_FAILED : CLI_OK;
}
