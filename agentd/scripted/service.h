/*
 * service.h - what the scripted model serves over HTTP: two dialects and a list of models.
 *
 * Each request takes the next step of the scenario, or is answered as chat_answer() does. One loop, no waiting.
 */
#ifndef AGENTD_SCRIPTED_SERVICE_H
#define AGENTD_SCRIPTED_SERVICE_H
struct error;
struct event_base;
struct scenario;
struct service;

/*
 * Serve on a listening socket, which is taken over also when it fails. The scenario is borrowed; NULL: none.
 * 0 or -ENOMEM.
 */
int service_start(struct event_base *base, int socket, struct scenario *scenario,
	struct service **ret_service, struct error *err);

/* Replies under way are cut. Accepts NULL. Not from within a callback. */
void service_stop(struct service *service);
#endif
