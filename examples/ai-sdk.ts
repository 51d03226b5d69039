// The Vercel AI SDK: a loop over tools, through any of its OpenAI-shaped providers.
//   npx tsx examples/ai-sdk.ts
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, stepCountIs, tool } from 'ai'
import { z } from 'zod'
import { key, model, url } from './connection.js'

const bursar = createOpenAICompatible({ name: 'bursar', baseURL: `${url}/v1`, apiKey: key, includeUsage: true })

const { text, steps, totalUsage } = await generateText({
  model: bursar.chatModel(model),
  prompt: 'Use get_weather for Oslo.',
  stopWhen: stepCountIs(5),
  tools: {
    get_weather: tool({
      description: 'The weather of a city',
      inputSchema: z.object({ city: z.string() }),
      execute: ({ city }) => Promise.resolve(`Light rain in ${city}, 7 °C.`),
    }),
  },
})
console.log(text)
console.log(`${steps.length} calls, ${totalUsage.totalTokens} tokens`)
