// The official SDK: an answer whole, the same in pieces, the same again through the SDK's own helper, and three refusals.
import OpenAI from "openai";
import { asked, saw, user } from "./lib.mjs";

const client = new OpenAI({ maxRetries: 0 });
const request = { model: asked.model, messages: user(asked.prompt), max_tokens: 12, temperature: 0 };

const { data, response } = await client.chat.completions.create(request).withResponse();

let text = "";
let last;
const streamed = { ...request, stream: true, stream_options: { include_usage: true } };
for await (const chunk of await client.chat.completions.create(streamed)) {
  text += chunk.choices[0]?.delta.content ?? "";
  last = chunk;
}

const deltas = [];
const helper = client.chat.completions.stream({ ...request, stream_options: { include_usage: true } });
helper.on("content", (delta) => deltas.push(delta));
const final = await helper.finalChatCompletion();

async function refused(promise) {
  try {
    await promise;
    return "answered";
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
}

const stranger = new OpenAI({ apiKey: "sk-pw-wrong", maxRetries: 0 });
saw({
  whole: data,
  requestId: response.headers.get("x-request-id"),
  streamed: { text, last },
  helper: { text: deltas.join(""), final },
  refused: [
    await refused(stranger.chat.completions.create(request)),
    await refused(client.chat.completions.create({ ...request, model: "none" })),
    await refused(client.chat.completions.create({ ...request, temperature: 3 })),
  ],
});
