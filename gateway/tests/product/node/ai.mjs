// Vercel's AI SDK, pointed at the gateway through both of its providers.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";

// It would warn on the output that tests read.
globalThis.AI_SDK_LOG_WARNINGS = false;

const baseURL = process.env.OPENAI_BASE_URL;
const apiKey = process.env.OPENAI_API_KEY;
const openai = createOpenAI({ baseURL, apiKey });
const compatible = createOpenAICompatible({
  name: "peerway",
  baseURL,
  apiKey,
  includeUsage: true,
  supportsStructuredOutputs: true,
});

/** The model, reached by `compatible` and `chat` through chat completions, and by `responses` through responses. */
export function model(id, through) {
  return { compatible: () => compatible(id), chat: () => openai.chat(id), responses: () => openai.responses(id) }[through]();
}

export function embedder(id) {
  return compatible.embeddingModel(id);
}
