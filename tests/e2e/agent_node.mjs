// What OpenAI's own package sees of agentd: a case each, named by the first argument, run by agent_node.py.
import assert from "node:assert/strict";
import { createInterface } from "node:readline/promises";
import OpenAI from "openai";

const baseURL = process.env.HEARTH_API_URL;
const apiKey = process.env.HEARTH_API_KEY ?? "none";
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const { completions } = client.chat;

const ask = (content, more = {}) => ({ model: "coder", messages: [{ role: "user", content }], ...more });

async function get(path) {
	const response = await fetch(baseURL + path, { headers: { Authorization: `Bearer ${apiKey}` } });
	return (await response.json()).data;
}

async function collect(stream) {
	const chunks = [];
	for await (const chunk of stream) chunks.push(chunk);
	return chunks;
}

const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");

/** The error, which must be of this kind. */
async function refusal(call, kind, status, code) {
	const error = await call.then(() => assert.fail("it was not refused"), (error) => error);
	assert.ok(error instanceof kind, String(error));
	assert.equal(error.status, status);
	assert.equal(error.code, code);
	assert.ok(error.message.length > status.toString().length + 10, error.message);
	assert.match(error.requestID, /^req_/);
	return error;
}

const cases = {
	async plain() {
		const { data, response, request_id: request } = await completions.create(ask("hello")).withResponse();
		assert.equal(data.object, "chat.completion");
		assert.match(data.id, /^chatcmpl-/);
		assert.equal(data.model, "coder");
		assert.deepEqual(data.choices[0].message, { role: "assistant", content: "scripted model: you said: hello" });
		assert.equal(data.choices[0].finish_reason, "stop");
		assert.ok(data.usage.prompt_tokens > 0);
		assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
		assert.match(data.sessionId, /^ses-/);
		assert.equal(response.headers.get("x-session-id"), data.sessionId);
		assert.equal(data._request_id, request);
		assert.match(request, /^req_/);
	},

	async stream() {
		const { data, response } = await completions.create(ask("hello", { stream: true })).withResponse();
		const chunks = await collect(data);
		assert.equal(chunks[0].choices[0].delta.role, "assistant");
		assert.equal(textOf(chunks), "scripted model: you said: hello");
		assert.deepEqual(new Set(chunks.map((chunk) => chunk.object)), new Set(["chat.completion.chunk"]));
		assert.deepEqual(chunks.map((chunk) => chunk.choices[0].finish_reason).filter(Boolean), ["stop"]);
		assert.equal(chunks.at(-1).sessionId, response.headers.get("x-session-id"));
		assert.ok(chunks.every((chunk) => !chunk.usage));
	},

	async usage() {
		const options = { stream: true, stream_options: { include_usage: true } };
		const chunks = await collect(await completions.create(ask("hello", options)));
		assert.deepEqual(chunks.at(-1).choices, []);
		assert.ok(chunks.at(-1).usage.total_tokens > 0);
		assert.equal(chunks.filter((chunk) => chunk.usage).length, 1);
	},

	async tools() {
		const chunks = await collect(await completions.create(ask("run: echo hi", { stream: true })));
		const choices = chunks.map((chunk) => chunk.choices[0]);
		const calls = choices.map((choice) => choice.tool_call).filter(Boolean);
		assert.deepEqual(calls.map((call) => call.state), ["preparing", "calling", "completed"]);
		assert.deepEqual(calls[1].arguments, { command: "echo hi" });
		assert.match(calls[2].result, /hi/);
		assert.equal(calls[2].receipt.exit_code, 0);
		assert.ok(choices.every((choice) => !choice.delta.tool_calls));
	},

	/** The package's own accumulator, which throws at what is no stream of OpenAI's. */
	async accumulator() {
		const stream = completions.stream(ask("run: echo hi", { stream_options: { include_usage: true } }));
		const seen = [];
		stream.on("content", (delta) => seen.push(delta));
		const whole = await stream.finalChatCompletion();
		assert.equal(whole.choices[0].finish_reason, "stop");
		assert.equal(whole.choices[0].message.content, seen.join(""));
		assert.match(whole.choices[0].message.content, /hi/);
		assert.equal(whole.choices[0].message.tool_calls, undefined);
		assert.ok(whole.usage.total_tokens > 0);
	},

	async sessions() {
		const first = await completions.create(ask("run: echo first >>notes"));
		const second = await completions.create(ask("run: cat notes", { sessionId: first.sessionId, model: "any" }));
		assert.match(second.choices[0].message.content, /first/);
		const headers = { "x-session-id": first.sessionId };
		const third = await completions.create(ask("run: cat notes"), { headers });
		assert.match(third.choices[0].message.content, /first/);
		assert.deepEqual(new Set([first, second, third].map((each) => each.sessionId)), new Set([first.sessionId]));
		const other = await completions.create(ask("hello"), { headers: { "x-session-id": "new" } });
		assert.notEqual(other.sessionId, first.sessionId);
		assert.equal((await get(`/chat/sessions/${first.sessionId}/messages`)).total, 12);
	},

	async models() {
		const { data } = await client.models.list();
		assert.deepEqual(data.map((model) => [model.id, model.object]), [["coder", "model"], ["single", "model"]]);
		assert.equal((await client.models.retrieve("coder")).id, "coder");
		await refusal(client.models.retrieve("nobody"), OpenAI.NotFoundError, 404, "agent_not_found");
	},

	async errors() {
		const refused = (body, ...rest) => refusal(completions.create(body), ...rest);
		const none = await refused(ask("x", { model: "nobody" }), OpenAI.NotFoundError, 404, "agent_not_found");
		assert.equal(none.param, "agent");
		await refused(ask("x", { sessionId: "ses-none" }), OpenAI.NotFoundError, 404, "session_not_found");
		await refused({ model: "coder", messages: [] }, OpenAI.BadRequestError, 400, "invalid_request");
		const clown = { model: "coder", messages: [{ role: "clown", content: "x" }] };
		const why = await refused(clown, OpenAI.BadRequestError, 400, "invalid_request");
		assert.match(why.message, /messages\[0\]\.role/);
		await refused(ask("x", { tools: [{ type: "function" }] }), OpenAI.BadRequestError, 400, "invalid_request");
		await refused(ask("x", { temperature: 3 }), OpenAI.BadRequestError, 400, "invalid_request");
		await refused(ask("no key"), OpenAI.InternalServerError, 502, "upstream_error");
		await refused(ask("no key", { stream: true }), OpenAI.InternalServerError, 502, "upstream_error");
	},

	/** A run that began is not asked for again by the package, whose retries are on here: its session has the message. */
	async retries() {
		const call = completions.create(ask("no key"), { maxRetries: 1 });
		const error = await refusal(call, OpenAI.InternalServerError, 502, "upstream_error");
		const { sessions } = await get("/chat/sessions");
		assert.deepEqual(sessions.map((session) => session.id), [error.headers.get("x-session-id")]);
	},

	async key() {
		const { data } = await client.models.list();
		assert.equal(data.length, 2);
		const stranger = new OpenAI({ baseURL, apiKey: "sk_live_wrong", maxRetries: 0 });
		await refusal(stranger.models.list(), OpenAI.AuthenticationError, 401, "invalid_api_key");
		const call = stranger.chat.completions.create(ask("x", { stream: true }));
		await refusal(call, OpenAI.AuthenticationError, 401, "invalid_api_key");
	},

	/** An agent that takes one at a time: refused, and with the package's retries served when it is free. */
	async busy() {
		const held = await completions.create(ask("hold", { model: "single", stream: true }));
		const error = await refusal(
			completions.create(ask("x", { model: "single" })), OpenAI.RateLimitError, 429, "rate_limit_exceeded");
		assert.match(error.headers.get("retry-after"), /^[1-9]\d*$/);
		const next = completions.create(ask("next", { model: "single" }), { maxRetries: 30 });
		console.log("busy");
		await collect(held);
		assert.match((await next).choices[0].message.content, /next/);
	},

	async abort() {
		const { data, response } = await completions.create(ask("hold", { stream: true })).withResponse();
		for await (const chunk of data) if (chunk.choices[0].tool_call?.state === "calling") break;
		assert.ok(data.controller.signal.aborted);
		const run = response.headers.get("x-run-id");
		assert.equal((await get(`/runs/${run}`)).status, "running");
		const session = response.headers.get("x-session-id");
		const clash = completions.create(ask("x", { sessionId: session }));
		await refusal(clash, OpenAI.ConflictError, 409, "conflict");
		console.log(run);
		await createInterface(process.stdin)[Symbol.asyncIterator]().next();
		const after = await completions.create(ask("and now", { sessionId: session }));
		assert.match(after.choices[0].message.content, /and now/);
	},

	/** Longer than the 300 seconds of silence after which fetch gives up. */
	async silence() {
		const post = async (stream) => {
			const headers = { "Content-Type": "application/json", Authorization: `Bearer ${apiKey}` };
			const body = JSON.stringify(ask("silence", { stream }));
			const response = await fetch(`${baseURL}/chat/completions`, { method: "POST", headers, body });
			return response.text();
		};
		const [plain, stream, packaged] = await Promise.all([
			post(false), post(true), completions.create(ask("silence"))]);
		assert.equal(JSON.parse(plain).choices[0].message.content, "slept");
		assert.match(stream, /: ping\n\n(?:.|\n)*"content":"slept"(?:.|\n)*data: \[DONE\]\n\n$/);
		assert.equal(packaged.choices[0].message.content, "slept");
	},
};

await cases[process.argv[2]]();
