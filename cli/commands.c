/* commands.c - the table of commands: one row each. */
#include "base/cleanup.h"
#include "cli/cli.h"

#define END                                                                                        \
	{                                                                                          \
		NULL, 0, NULL, NULL                                                                \
	}

static const struct cli_option up_options[] = {
	{"image", 0, "NAME", "image of the sandboxes; built when the store has none"},
	{"pool", 0, "N", "sandboxes to keep ready"},
	{"net", 0, "PROFILE", "their network: none (the default), default, allow, open"},
	{"except", 0, "CIDR,...", "private addresses that default reaches all the same"},
	{"allow", 0, "TO,...", "what allow reaches: addresses, names, *.names"},
	END,
};

static const struct cli_option run_options[] = {
	{"image", 0, "NAME", "image of the sandbox (default: the instance's first pool)"},
	{"net", 0, "PROFILE", "its network: none, default, allow, open (default: the pool's)"},
	{"workspace", 0, "ID", "the workspace at /workspace; made when missing"},
	{"hostname", 0, "NAME", "host name inside (default: the pool's)"},
	{"memory", 0, "SIZE", "less memory than the pool's, such as 64M"},
	{"pids", 0, "N", "fewer processes than the pool's"},
	{"cpus", 0, "N", "fewer CPUs than the pool's, such as 0.5"},
	{"interactive", 'i', NULL, "pass standard input on; else it is empty"},
	{"tty", 't', NULL, "give the command a terminal"},
	{"timeout", 0, "TIME", "end the command after TIME (30s, 5m, 250ms): status 124"},
	{"output-max", 0, "SIZE", "drop what it writes beyond SIZE bytes"},
	{"env", 0, "K=V", "set a variable of its environment; may be repeated"},
	{"cwd", 0, "DIR", "working directory inside"},
	END,
};

static const struct cli_option exec_options[] = {
	{"interactive", 'i', NULL, "pass standard input on; else it is empty"},
	{"tty", 't', NULL, "give the command a terminal"},
	{"timeout", 0, "TIME", "end the command after TIME (30s, 5m, 250ms): status 124"},
	{"output-max", 0, "SIZE", "drop what it writes beyond SIZE bytes"},
	{"env", 0, "K=V", "set a variable of its environment; may be repeated"},
	{"cwd", 0, "DIR", "working directory inside"},
	END,
};

static const struct cli_option start_options[] = {
	{"port", 0, "N", "where the API listens on 127.0.0.1 (default 3890)"},
	{"project", 0, "DIR", "folder of the project (default: the current one)"},
	{"image", 0, "NAME", "image of the sandboxes (default base); built when missing"},
	{"pool", 0, "N", "sandboxes to keep ready (default 4)"},
	{"net", 0, "PROFILE", "their network: none (the default), default, allow, open"},
	{"except", 0, "CIDR,...", "private addresses that default reaches all the same"},
	{"allow", 0, "TO,...", "what allow reaches: addresses, names, *.names"},
	{"script", 0, "FILE", "answer by this script instead of a model"},
	END,
};

static const struct cli_option chat_options[] = {
	{"agent", 0, "NAME", "the agent (default: the session's, else the first)"},
	{"session", 0, "ID", "go on with this session"},
	END,
};

static const struct cli_option session_ls_options[] = {
	{"agent", 0, "NAME", "of this agent only"},
	{"limit", 0, "N", "the newest N (default 20)"},
	END,
};

static const struct cli_option key_create_options[] = {
	{"name", 0, "NAME", "what it is for"},
	{"test", 0, NULL, "a key that says that it is for tests: sk_test_..."},
	END,
};

#define BENCH_COMMON                                                                               \
	{"image", 0, "NAME", "image to measure (default: the instance's first pool)"},             \
		{"csv", 0, "FILE", "write every sample to FILE"},                                  \
	{                                                                                          \
		"svg", 0, "FILE", "draw latency over percentile, and the floor, to FILE"           \
	}
#define BENCH_LOOP                                                                                 \
	{"count", 'n', "N", "samples (default 1000)"},                                             \
		{"clients", 'c', "N", "processes that do so at once (default 1)"},                 \
		{"warmup", 0, "N", "samples before, not counted (default 0)"},                     \
	{                                                                                          \
		"pause-us", 0, "U", "microseconds of rest before each sample (default 0)"          \
	}

static const struct cli_option bench_acquire_options[] = {
	BENCH_LOOP,
	{"rate", 0, "R", "R acquires a second, at fixed times, from which the latency counts"},
	{"refill", 0, NULL, "measure while the pool refills; a miss is then no failure"},
	BENCH_COMMON,
	END,
};

static const struct cli_option bench_exec_options[] = {
	BENCH_LOOP,
	{"fresh", 0, NULL, "acquire and run: a new sandbox for each"},
	BENCH_COMMON,
	END,
};

static const struct cli_option bench_loop_options[] = {
	BENCH_LOOP,
	BENCH_COMMON,
	END,
};

static const struct cli_option bench_burst_options[] = {
	{"count", 'n', "N", "sandboxes asked for at once (default 100)"},
	{"clients", 'c', "N", "processes that ask, a part each (default 1)"},
	{"batch", 0, "K", "sandboxes in one message (default 64)"},
	{"rounds", 0, "B", "bursts (default 1)"},
	BENCH_COMMON,
	END,
};

static const struct cli_option top_options[] = {
	{"once", 0, NULL, "show one frame and end"},
	{"count", 'n', "COUNT", "end after so many frames"},
	{"interval", 0, "SECONDS", "from frame to frame (default 1)"},
	END,
};

static const struct cli_option image_options[] = {
	{"store", 0, "DIR", "store of images (default: /var/lib/hearth/images)"},
	END,
};

static const struct cli_option doctor_options[] = {
	{"store", 0, "DIR", "store of images (default: /var/lib/hearth/images)"},
	END,
};

const struct cli_command cli_commands[] = {
	{"up", "--image NAME --pool N [OPTION...]", "start an instance with one pool",
		"Starts the supervisor and agentd in the background, with one pool named NAME, "
		"and\n"
		"returns when N sandboxes are ready. A missing image is built first. Needs root.",
		up_options, 0, 0, CLI_NO_COMMAND_LINE, false, cli_up},
	{"down", "[OPTION...]", "stop an instance and remove all it made",
		"Ends both daemons and every sandbox and returns when nothing is left. It is no "
		"error\n"
		"when nothing runs. Configuration and logs stay. Needs root.",
		NULL, 0, 0, CLI_NO_COMMAND_LINE, false, cli_down},
	{"init", "[DIR]", "make the files of a project with one agent",
		"Makes DIR/.hearth (default: in the current directory) with settings, one agent, a "
		"skill\n"
		"and a memory. What is there already is kept.",
		NULL, 0, 1, CLI_NO_COMMAND_LINE, false, cli_init},
	{"start", "[OPTION...]", "serve a project's agents over HTTP",
		"Starts an instance for a project that has .hearth, unless its supervisor runs "
		"already,\n"
		"and stays until Ctrl-C. Keys of models are taken from the environment, such as\n"
		"XAI_API_KEY; without any, a script answers instead of a model. Needs root.",
		start_options, 0, 0, CLI_NO_COMMAND_LINE, false, cli_start},
	{"chat", "[OPTION...] [MESSAGE...]", "talk to an agent",
		"Sends MESSAGE, or standard input, or on a terminal one line after the other, and "
		"shows\n"
		"the answer and each tool call as they come. Ctrl-C cancels what the agent does. "
		"With\n"
		"--json each frame is one line.",
		chat_options, 0, -1, CLI_NO_COMMAND_LINE, false, cli_chat},
	{"session ls", "[OPTION...]", "list what was talked about",
		"Lists the sessions, the newest first.", session_ls_options, 0, 0,
		CLI_NO_COMMAND_LINE, false, cli_session_ls},
	{"session show", "ID", "show a session's messages",
		"Shows the messages of a session and its tool calls, a line each.", NULL, 1, 1,
		CLI_NO_COMMAND_LINE, false, cli_session_show},
	{"session rm", "ID...", "remove sessions for good",
		"Removes sessions with all that was said, and prints their ids.", NULL, 1, -1,
		CLI_NO_COMMAND_LINE, false, cli_session_rm},
	{"key create", "[OPTION...]", "make a key of the HTTP API",
		"Makes a key and prints it, this one time: only its hash is kept. With a key the "
		"API\n"
		"asks everybody for one.",
		key_create_options, 0, 0, CLI_NO_COMMAND_LINE, false, cli_key_create},
	{"key ls", "[OPTION...]", "list the keys of the HTTP API",
		"Lists the keys by their beginning.", NULL, 0, 0, CLI_NO_COMMAND_LINE, false,
		cli_key_ls},
	{"key revoke", "ID...", "end keys of the HTTP API",
		"Ends these keys at once, and prints their ids.", NULL, 1, -1, CLI_NO_COMMAND_LINE,
		false, cli_key_revoke},
	{"agent validate", "[DIR]", "say what is wrong in a project's files",
		"Reads the .hearth of DIR (default: the current directory) as agentd does and "
		"names\n"
		"every problem with its line and fix. Status 1 when there is an error.",
		NULL, 0, 1, CLI_NO_COMMAND_LINE, false, cli_agent_validate},
	{"run", "[OPTION...] [--] COMMAND [ARGUMENT...]", "run a command in a fresh sandbox",
		"Takes a sandbox from the pool, runs the command in it and gives it back. The\n"
		"command's status is passed through: 128 + N when signal N ended it, 124 at the\n"
		"timeout, 126 and 127 as in a shell; 125 is Hearth's own failure.",
		run_options, 1, -1, 0, true, cli_run},
	{"exec", "ID [OPTION...] [--] COMMAND [ARGUMENT...]",
		"run a command in a sandbox that is leased",
		"Runs the command in sandbox ID, which a client of agentd has leased. Only that\n"
		"client's user and root may. The status is passed through as by hearth run.",
		exec_options, 2, -1, 1, true, cli_exec},
	{"sandbox ls", "[OPTION...]", "list the sandboxes", "Lists every sandbox of the instance.",
		NULL, 0, 0, CLI_NO_COMMAND_LINE, false, cli_sandbox_ls},
	{"sandbox kill", "ID...", "end leases, whoever holds them",
		"Ends the leases of these sandboxes and all that runs in them. Their owners are "
		"told.\n"
		"Root may end any lease, others those of their own user.",
		NULL, 1, -1, CLI_NO_COMMAND_LINE, false, cli_sandbox_kill},
	{"sandbox net", "ID PROFILE", "change what a sandbox reaches",
		"Gives a leased sandbox another network profile at once, also its open "
		"connections:\n"
		"none, default, allow or open. Root may, and the lease's own user.",
		NULL, 2, 2, CLI_NO_COMMAND_LINE, false, cli_sandbox_net},
	{"sandbox inspect", "ID", "show a sandbox's limits and network",
		"Shows what a leased sandbox has: limits, workspace, network with its caps, what "
		"it\n"
		"sent and what it was denied. Root may, and the lease's own user.",
		NULL, 1, 1, CLI_NO_COMMAND_LINE, false, cli_sandbox_inspect},
	{"pool ls", "[OPTION...]", "list the pools",
		"Lists the pools: what they hold, how acquires were served, what builds took.",
		NULL, 0, 0, CLI_NO_COMMAND_LINE, false, cli_pool_ls},
	{"pool set", "NAME [min=N] [max=N]", "change how many sandboxes a pool keeps",
		"Changes min, max or both of a pool at once, until the supervisor ends: its\n"
		"configuration stays as it is. max cannot go beyond what the instance was started\n"
		"with. Needs root.",
		NULL, 2, 3, CLI_NO_COMMAND_LINE, false, cli_pool_set},
	{"top", "[OPTION...]", "watch pools, leases and the latency of acquires",
		"Shows pools, leases, how long acquires took and why some missed, again and "
		"again.\n"
		"On a terminal q quits; elsewhere each frame is plain text, with --json one "
		"object a line.",
		top_options, 0, 0, CLI_NO_COMMAND_LINE, false, cli_top},
	{"image build", "NAME", "build an image by its recipe and put it into the store",
		"Builds the image and replaces one of that name when it is whole. Needs root.",
		image_options, 1, 1, CLI_NO_COMMAND_LINE, false, cli_image},
	{"image ls", "[OPTION...]", "list the images of the store", "Lists the images.",
		image_options, 0, 0, CLI_NO_COMMAND_LINE, false, cli_image},
	{"image verify", "NAME", "compare an image with its digest",
		"Computes the digest of the image's tree again and names what differs.",
		image_options, 1, 1, CLI_NO_COMMAND_LINE, false, cli_image},
	{"image rm", "NAME", "remove an image from the store", "Removes the image. Needs root.",
		image_options, 1, 1, CLI_NO_COMMAND_LINE, false, cli_image},
	{"doctor", "[OPTION...]", "say whether this host can run Hearth, and what to do",
		"Tries each feature of the kernel that Hearth needs, shows in sandboxes of its own "
		"that\n"
		"nobody gets out, and judges the host's settings: pass, warn, fail or unknown, "
		"each with\n"
		"the cause and the fix. Status 7 when a required check fails, 1 when one could not "
		"be\n"
		"made, as without root.",
		doctor_options, 0, 0, CLI_NO_COMMAND_LINE, false, cli_doctor},
	{"bench acquire", "[OPTION...]", "measure the round trip of an acquire",
		"Times one ACQUIRE round trip per sample, in rounds that take at most half of the\n"
		"ready sandboxes, and no more than is granted; they are released and refilled\n"
		"between rounds, untimed. The floor is an echo between two processes: messages of\n"
		"the same sizes, the same pauses.",
		bench_acquire_options, 0, 0, CLI_NO_COMMAND_LINE, false, cli_bench},
	{"bench exec", "[OPTION...] [--] [COMMAND [ARGUMENT...]]", "measure a command in a sandbox",
		"Times COMMAND (default /bin/true) in a sandbox that is held, or with --fresh\n"
		"together with the acquire of one for each. The floor is posix_spawn of the same\n"
		"command on the host, as user hearth, after each sample.",
		bench_exec_options, 0, -1, 0, false, cli_bench},
	{"bench churn", "[OPTION...] [--] [COMMAND [ARGUMENT...]]",
		"measure sandboxes from creation to death",
		"Times acquire, COMMAND (default /bin/true) and destruction, until the sandbox is\n"
		"proven dead, and tells how many a second. The floor is posix_spawn of the same\n"
		"command on the host, as user hearth.",
		bench_loop_options, 0, -1, 0, false, cli_bench},
	{"bench miss", "[OPTION...]", "measure an acquire that finds nothing ready",
		"Takes all ready sandboxes and times the acquires after that, which wait for a\n"
		"build. For builds that nothing has begun before, measure a pool with min = 0.",
		bench_loop_options, 0, 0, CLI_NO_COMMAND_LINE, false, cli_bench},
	{"bench burst", "[OPTION...]", "measure many acquires at once on an empty pool",
		"Takes all ready sandboxes, then asks for N at once: when the first, the middle\n"
		"and the last one came, and whether they came in the order of the requests.",
		bench_burst_options, 0, 0, CLI_NO_COMMAND_LINE, false, cli_bench},
	{"bench --compare", "A.json B.json", "say whether two results of --json differ",
		"Compares median and p99 of two results of hearth bench --json. The interval (95\n"
		"percent, block bootstrap) knows only what varied within the runs: take several\n"
		"runs of each in turn, because the machine changes between them too.",
		NULL, 2, 2, CLI_NO_COMMAND_LINE, false, cli_bench_compare},
	{"version", "[OPTION...]", "show the version",
		"Shows the versions of program and protocols.", NULL, 0, 0, CLI_NO_COMMAND_LINE,
		false, cli_version},
};

const unsigned cli_command_count = ARRAY_SIZE(cli_commands);
