/*
 * ask.h - one question to agentd, or the same one for each of several names.
 *
 * What agentd answers is made of what models and sandboxes said: it is read as user hearth, without capabilities.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H
#include <jansson.h>

struct cli;
struct error;
struct rpc_link;

/* Connect to the instance's agentd, then drop privileges for good. 0 or -errno. */
int ask_open(const struct cli *cli, struct rpc_link **ret_link, struct error *err);

/* Over a connection of its own; params are taken over, *ret_result is the caller's. 0 or -errno. */
int ask(const struct cli *cli, const char *method, json_t *params, json_t **ret_result,
	struct error *err);

/* What to do about a failure of the two above, or NULL. */
const char *ask_advice(const struct error *err);

/*
 * method {"id": ID} for each of the operands of argv; prints the ids that it succeeded for, with --json as the array
 * `done`. Returns the exit code of the first failure; the others are done all the same. *ret_last (may be NULL): the last
 * result, or NULL; the caller's.
 */
int ask_each(const struct cli *cli, const char *method, const char *done, int argc, char **argv,
	json_t **ret_last);
#endif
