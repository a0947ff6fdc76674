/* handlers.h - the functions of the routes, a group in a file each; routes.c has the table. */
#ifndef AGENTD_API_HANDLERS_H
#define AGENTD_API_HANDLERS_H
struct api_call;

/* status_routes.c */
void status_routes_health(struct api_call *call);
void status_routes_live(struct api_call *call);
void status_routes_ready(struct api_call *call);
void status_routes_openapi(struct api_call *call);
/* agent_routes.c: what the project's folder holds */
void agent_routes_models(struct api_call *call);
void agent_routes_model(struct api_call *call);
void agent_routes_list(struct api_call *call);
void agent_routes_get(struct api_call *call);
void agent_routes_create(struct api_call *call);
void agent_routes_patch(struct api_call *call);
void agent_routes_delete(struct api_call *call);
void agent_routes_skills(struct api_call *call);
void agent_routes_skill_content(struct api_call *call);
void agent_routes_skill_create(struct api_call *call);
void agent_routes_skill_delete(struct api_call *call);
void agent_routes_memory_get(struct api_call *call);
void agent_routes_memory_put(struct api_call *call);
/* session_routes.c */
void session_routes_list(struct api_call *call);
void session_routes_get(struct api_call *call);
void session_routes_messages(struct api_call *call);
void session_routes_patch(struct api_call *call);
void session_routes_delete(struct api_call *call);
/* run_routes.c */
void run_routes_get(struct api_call *call);
void run_routes_events(struct api_call *call);
void run_routes_cancel(struct api_call *call);
/* key_routes.c */
void key_routes_create(struct api_call *call);
void key_routes_list(struct api_call *call);
void key_routes_revoke(struct api_call *call);
/* sandbox_routes.c */
void sandbox_routes_list(struct api_call *call);
void sandbox_routes_delete(struct api_call *call);
void sandbox_routes_clear_idle(struct api_call *call);
#endif
