#include "cli/bench_sample.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/bench_command.h"
#include "proto/guest_client.h"

static struct control_acquire request_of(const struct bench_worker *w, uint32_t on_empty)
{
	struct control_acquire request = {.on_empty = on_empty};

	text_copy(request.template_name, sizeof(request.template_name), w->plan->image);
	return request;
}

static void fill(struct bench_sample *sample, const struct bench_answer *answer)
{
	const struct control_leased *leased = (const void *)answer->packet;

	sample->started_ns = answer->sent_ns;
	sample->latency_ns = answer->elapsed_ns;
	if (leased->header.type != CONTROL_LEASED)
		return;
	sample->rung = leased->rung;
	sample->stage_ns[0] = leased->wait_ns;
	sample->stage_ns[1] = leased->queue_ns;
	sample->stage_ns[2] = leased->bind_ns;
	sample->stage_ns[3] = leased->build_ns;
}

static void note_held(struct bench_worker *w)
{
	if (w->client.held_count > w->held_most)
		w->held_most = w->client.held_count;
}

/* As bench_client_acquire(): 0, a refusal, or -errno. */
static int acquire(
	struct bench_worker *w, uint32_t on_empty, struct bench_sample *sample, struct error *err)
{
	struct control_acquire request = request_of(w, on_empty);
	struct bench_answer answer;
	int r = bench_client_acquire(&w->client, &request, &answer, err);

	if (r >= 0)
		fill(sample, &answer);
	note_held(w);
	return r;
}

/* Of something that needs its sandbox a refusal is a failure. */
static int acquire_surely(struct bench_worker *w, struct bench_sample *sample, struct error *err)
{
	int r = acquire(w, ON_EMPTY_DEFAULT, sample, err);

	return r > 0 ? error_prefix(err, -err->code, "sample %lu", w->taken + 1) : r;
}

/* By one that was ready, or the run fails: what is measured is the hit. */
static int acquire_ready(struct bench_worker *w, struct bench_sample *sample, struct error *err)
{
	int r = acquire(w, ON_EMPTY_FAIL, sample, err);

	if (r < 0)
		return r;
	if (r == REFUSED_LIMIT)
		return BENCH_ROUND_ENDS;
	if (r == 0 && sample->rung != RUNG_READY)
		r = error_set(err, EAGAIN, "no sandbox was ready");
	return r ? error_prefix(err, -err->code, "sample %lu is a miss", w->taken + 1) : 0;
}

/* Whatever serves it. With a rate no arrival is left out: a refusal is a sample too, and a miss. */
static int acquire_patiently(struct bench_worker *w, struct bench_sample *sample, struct error *err)
{
	int r = acquire(w, ON_EMPTY_DEFAULT, sample, err);

	if (r == 0)
		return bench_client_release(&w->client, false, err);
	if (r == REFUSED_LIMIT && !w->plan->rate)
		return BENCH_ROUND_ENDS;
	if (r == REFUSED_EMPTY || r == REFUSED_TIMEOUT || r == REFUSED_LIMIT)
		return 0;
	return r > 0 ? error_prefix(err, -err->code, "sample %lu", w->taken + 1) : r;
}

/* Of the sandbox that was leased last, whose channel is the guest client's from now on. */
static int open_guest(struct bench_worker *w, struct guest_client **ret_guest, struct error *err)
{
	struct bench_held *held = &w->client.held[w->client.held_count - 1];
	int r = guest_client_create(held->channel, ret_guest, err);

	if (r == 0)
		held->channel = -1;
	return r;
}

static void measure_floor(const struct bench_worker *w, struct bench_sample *sample)
{
	bench_rest(w->plan->pause_us);
	if (bench_command_on_host(w->plan->argv, &sample->floor_ns) < 0)
		sample->floor_ns = 0;
}

static int exec_held(struct bench_worker *w, struct bench_sample *sample, struct error *err)
{
	int r = 0;

	if (!w->guest) {
		r = acquire_surely(w, sample, err);
		if (r == 0)
			r = open_guest(w, &w->guest, err);
		if (r < 0)
			return r;
	}
	*sample = (struct bench_sample){.started_ns = clock_now_ns()};
	r = bench_command_inside(w->guest, w->plan->argv, &sample->latency_ns, err);
	if (r == 0)
		measure_floor(w, sample);
	return r;
}

static int exec_fresh(struct bench_worker *w, struct bench_sample *sample, struct error *err)
{
	struct guest_client *guest = NULL;
	uint64_t exec_ns = 0, acquire_ns;
	int r = acquire_ready(w, sample, err);

	if (r != 0)
		return r;
	acquire_ns = sample->latency_ns;
	r = open_guest(w, &guest, err);
	if (r == 0)
		r = bench_command_inside(guest, w->plan->argv, &exec_ns, err);
	*sample = (struct bench_sample){
		.rung = sample->rung,
		.started_ns = sample->started_ns,
		.latency_ns = clock_now_ns() - sample->started_ns,
		.stage_ns = {acquire_ns, exec_ns},
	};
	guest_client_destroy(guest);
	if (r == 0)
		measure_floor(w, sample);
	return r;
}

static int churn(struct bench_worker *w, struct bench_sample *sample, struct error *err)
{
	struct guest_client *guest = NULL;
	uint64_t exec_ns = 0, create_ns, destroy_from_ns, now_ns;
	int r = acquire_surely(w, sample, err);

	if (r != 0)
		return r;
	create_ns = sample->latency_ns;
	r = open_guest(w, &guest, err);
	if (r == 0)
		r = bench_command_inside(guest, w->plan->argv, &exec_ns, err);
	guest_client_destroy(guest);
	destroy_from_ns = clock_now_ns();
	if (r == 0)
		r = bench_client_release(&w->client, true, err);
	now_ns = clock_now_ns();
	*sample = (struct bench_sample){
		.rung = sample->rung,
		.started_ns = sample->started_ns,
		.latency_ns = now_ns - sample->started_ns,
		.stage_ns = {create_ns, exec_ns, now_ns - destroy_from_ns},
	};
	return r;
}

/* All are held, so that the ready ones are used up: one that was ready is none of the samples. */
static int miss(struct bench_worker *w, struct bench_sample *sample, struct error *err)
{
	int r = acquire(w, ON_EMPTY_BUILD, sample, err);

	if (r == REFUSED_LIMIT)
		return BENCH_ROUND_ENDS;
	if (r > 0)
		return error_prefix(err, -err->code, "sample %lu", w->taken + 1);
	return r == 0 && sample->rung == RUNG_READY ? BENCH_NO_SAMPLE : r;
}

int bench_sample_take(struct bench_worker *w, struct bench_sample *sample, struct error *err)
{
	const struct bench_plan *plan = w->plan;

	switch (plan->kind) {
	case BENCH_ACQUIRE:
		return plan->refill || plan->rate ? acquire_patiently(w, sample, err)
						  : acquire_ready(w, sample, err);
	case BENCH_EXEC:
		return plan->fresh ? exec_fresh(w, sample, err) : exec_held(w, sample, err);
	case BENCH_CHURN:
		return churn(w, sample, err);
	case BENCH_MISS:
		return miss(w, sample, err);
	case BENCH_BURST:
		break;
	}
	return error_set(err, EINVAL, "a burst has no single samples");
}

static int send_burst(
	struct bench_worker *w, uint32_t count, uint64_t *ret_sent_ns, struct error *err)
{
	uint32_t batch = (uint32_t)w->plan->batch;
	int r = 0;

	for (uint32_t asked = 0; r == 0 && asked < count; asked += batch) {
		struct control_acquire request = request_of(w, ON_EMPTY_BUILD);
		uint64_t sent_ns;

		request.count = count - asked < batch ? count - asked : batch;
		r = bench_client_send(
			&w->client, CONTROL_ACQUIRE, &request, sizeof(request), &sent_ns, err);
		if (asked == 0)
			*ret_sent_ns = sent_ns;
	}
	return r;
}

int bench_sample_burst(
	struct bench_worker *w, struct bench_sample *samples, uint32_t count, struct error *err)
{
	const struct message_header *header;
	struct bench_answer answer = {0};
	uint32_t last_id = 0;
	int r;

	bench_client_discard_news(&w->client);
	r = send_burst(w, count, &answer.sent_ns, err);
	for (uint32_t i = 0; r == 0 && i < count; i++) {
		r = bench_client_receive(&w->client, false, &answer, err);
		if (r == 0)
			r = bench_client_take(&w->client, &answer, err);
		if (r != 0)
			return error_prefix(err, -err->code, "answer %u of %u", i + 1, count);
		fill(&samples[i], &answer);
		header = (const void *)answer.packet;
		w->is_disordered = w->is_disordered || header->id < last_id;
		last_id = header->id;
	}
	note_held(w);
	return r;
}

int bench_sample_drain(struct bench_worker *w, struct error *err)
{
	struct bench_sample ignored;
	int r = 0;

	while (r == 0 && w->client.held_count < w->client.held_max)
		r = acquire(w, ON_EMPTY_FAIL, &ignored, err);
	return r < 0 ? r : 0;
}

void bench_sample_finish(struct bench_worker *w)
{
	guest_client_destroy(take_ptr(&w->guest));
}
