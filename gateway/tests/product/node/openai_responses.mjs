// The official SDK: a response whole, one in events through the SDK's helper, and a turn that goes on from the first.
import OpenAI from "openai";
import { asked, saw } from "./lib.mjs";

const client = new OpenAI({ maxRetries: 0 });
const whole = await client.responses.create({ model: asked.model, input: asked.prompt });

const events = [];
let text = "";
const stream = client.responses.stream({ model: asked.model, input: asked.prompt });
stream.on("event", (event) => events.push({ type: event.type, place: event.sequence_number }));
stream.on("response.output_text.delta", (event) => (text += event.delta));
const final = await stream.finalResponse();

const next = await client.responses.create({
  model: asked.model,
  input: asked.next,
  previous_response_id: whole.id,
});
const items = [];
for await (const item of client.responses.inputItems.list(next.id)) items.push(item);
saw({ whole, events, text, final, next, items });
