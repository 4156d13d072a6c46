// The official SDK's tools runner: it calls what the model asks for and goes on until the model has answered.
import OpenAI from "openai";
import { asked, saw, user } from "./lib.mjs";

const client = new OpenAI({ maxRetries: 0 });
const called = [];
const weather = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather in a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    parse: JSON.parse,
    function: ({ city }) => {
      called.push(city);
      return asked.result;
    },
  },
};
const runner = client.chat.completions.runTools({
  model: asked.model,
  messages: user(asked.prompt),
  tools: [weather],
  stream: asked.stream,
});
const content = await runner.finalContent();
saw({ called, content, roles: runner.messages.map((message) => message.role) });
