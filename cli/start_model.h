/*
 * start_model.h - hearth start without a key: a script that answers instead of a model.
 *
 * The script is a process of user hearth; its socket DIR/model.sock is made here, because only root may make one there.
 */
#ifndef CLI_START_MODEL_H
#define CLI_START_MODEL_H
#include <stdbool.h>

struct error;
struct up_start;

#define START_MODEL_VARIABLE_MAX 64

/* Whether agentd will find a known provider's key: in the environment, or as a file in /etc/hearth/keys. */
bool start_model_has_key(void);

/* "xai/grok-4-fast" to "XAI_API_KEY": where that model's key would be looked for. Cut when it does not fit. */
void start_model_variable(const char *model, char variable[START_MODEL_VARIABLE_MAX]);

/* Start it as up->model beside a supervisor that listens, until it answers. scenario: a file, or NULL. 0 or -errno. */
int start_model(struct up_start *up, const char *scenario, struct error *err);
#endif
