// A tool that the SDK calls by itself, and the model's answer to what it returned; whole or in pieces.
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { model } from "./ai.mjs";
import { asked, saw, user } from "./lib.mjs";

const called = [];
const weather = tool({
  description: "The weather in a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    called.push(city);
    return asked.result;
  },
});
const request = {
  model: model(asked.model, asked.through),
  messages: user(asked.prompt),
  tools: { weather },
  stopWhen: stepCountIs(3),
  maxRetries: 0,
};

async function stream() {
  let failure;
  const streamed = streamText({ ...request, onError: ({ error }) => (failure = error) });
  await streamed.consumeStream();
  if (failure) throw failure;
  return { text: await streamed.text, steps: await streamed.steps };
}

const { text, steps } = asked.stream ? await stream() : await generateText(request);
saw({ called, text, finishes: steps.map((step) => step.finishReason) });
