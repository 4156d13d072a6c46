// An object of a given shape, which the SDK checks against its schema.
import { Output, generateObject, generateText } from "ai";
import { z } from "zod";
import { model } from "./ai.mjs";
import { asked, saw } from "./lib.mjs";

const schema = z.object({ city: z.enum(["Paris", "Rome"]), is_capital: z.boolean() });
const request = {
  model: model(asked.model, asked.through),
  prompt: asked.prompt,
  temperature: 0,
  maxOutputTokens: 40,
  maxRetries: 0,
};
const { object, finishReason } = await generateObject({ ...request, schema });
const { output } = await generateText({ ...request, output: Output.object({ schema }) });
saw({ object, finishReason, output });
