// The official SDK asks for base64 unless it is told otherwise, and decodes it; both ways give the same numbers.
import OpenAI from "openai";
import { asked, saw } from "./lib.mjs";

const client = new OpenAI({ maxRetries: 0 });
const request = { model: asked.model, input: asked.input };
const numbers = (answer) => answer.data.map((item) => Array.from(item.embedding));
const byDefault = await client.embeddings.create(request);
const asFloats = await client.embeddings.create({ ...request, encoding_format: "float" });
saw({ byDefault: numbers(byDefault), asFloats: numbers(asFloats), usage: byDefault.usage });
