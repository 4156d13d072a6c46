// generateText, streamText and embedMany.
import { embedMany, generateText, streamText } from "ai";
import { embedder, model } from "./ai.mjs";
import { asked, saw } from "./lib.mjs";

const request = {
  model: model(asked.model, asked.through),
  prompt: asked.prompt,
  maxOutputTokens: 16,
  temperature: 0,
  maxRetries: 0,
};
const whole = await generateText(request);

let failure;
const streamed = streamText({ ...request, onError: ({ error }) => (failure = error) });
let pieces = 0;
let text = "";
for await (const piece of streamed.textStream) {
  pieces += 1;
  text += piece;
}
if (failure) throw failure;

const vectors = asked.embedder && (await embedMany({ model: embedder(asked.embedder), values: ["a b", "c"], maxRetries: 0 }));
saw({
  whole: { text: whole.text, reasoning: whole.reasoningText, finish: whole.finishReason, usage: whole.usage },
  streamed: { text, pieces, finish: await streamed.finishReason, usage: await streamed.usage },
  vectors: vectors && { lengths: vectors.embeddings.map((vector) => vector.length), usage: vectors.usage },
});
