import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { textWidth } from '../table.js'
import { predictCommand } from './predict.js'

let folder: string
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'bursar-predict-'))))
afterAll(() => rmSync(folder, { recursive: true }))

function put(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

async function run(...args: readonly string[]): Promise<string> {
  let printed = ''
  const program = new Command('bursar').exitOverride().configureOutput({ writeErr: () => undefined })
  predictCommand(program, { print: (text) => (printed += text), width: 80 })
  await program.parseAsync(['predict', ...args], { from: 'user' })
  for (const line of printed.split('\n')) expect(textWidth(line)).toBeLessThanOrEqual(80)
  return printed
}

const json = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'))

describe('bursar predict', () => {
  it('fine-tuning: ranks models, writes figures and a page', async () => {
    const rows = ['slow', 'fast'].flatMap((model, at) =>
      [200, 400, 800, 1_600, 3_200, 6_400].map(
        (examples) => `${model},f,${examples},${(3.2 - 0.2 * at) * (examples / 200) ** (at === 0 ? -0.2 : -0.1)}`,
      ),
    )
    const points = put('losses.csv', `model,family,examples,loss\n${rows.join('\n')}\n`)
    const text = await run(
      'fine-tuning',
      '--points',
      points,
      '--target',
      '100000',
      '--json',
      join(folder, 'ft.json'),
      '--html',
      join(folder, 'ft.html'),
    )
    expect(text).toContain('Fine-tune slow: its loss on 100,000 examples is forecast at 0.9')
    expect(json('ft.json')).toMatchObject({
      target: 100_000,
      models: [
        { model: 'slow', rank: 1 },
        { model: 'fast', rank: 2 },
      ],
    })
    expect(readFileSync(join(folder, 'ft.html'), 'utf8')).toMatch(/^<!doctype html>[\s\S]*<svg/i)
    // Too few sizes for an interval: nothing lies within one that isn't known.
    const few = put('few.csv', 'model,examples,loss\na,200,4\na,400,3.9\na,800,3.8\nb,200,4.5\nb,400,4\nb,800,3.6\n')
    const unsure = await run('fine-tuning', '--points', few, '--target', '100000')
    expect(unsure).toContain('How sure that is')
    expect(unsure).not.toContain('within its interval')
    await expect(run('fine-tuning', '--points', few, '--target', '9', '--json', join(folder, 'none', 'x'))).rejects.toThrow(
      /^--json: .* could not be written/,
    )
  })

  it('adaptation: with prices of the file, with fine-tuning, within a budget', async () => {
    const points = put(
      'shots.csv',
      'model,shots,accuracy,questions,input_price,output_price\nsmall,0,0.5,500,0.1,0.4\nsmall,2,0.6,500,0.1,0.4\nsmall,4,0.64,500,0.1,0.4\nlarge,0,0.8,500,5,20\nlarge,4,0.82,500,5,20\n',
    )
    expect(await run('adaptation', '--points', points, '--requests', '1000', '--worth', '1')).toContain('Take large')
    expect(await run('adaptation', '--points', points, '--requests', '100000', '--worth', '0.001')).toContain('Take small')
    const train = put(
      'train.csv',
      `text,label\n${Array.from({ length: 40 }, (_, at) => (at % 2 ? `refund order ${at},money` : `rain in city ${at},weather`)).join('\n')}\n`,
    )
    const text = await run(
      'adaptation',
      '--points',
      points,
      '--requests',
      '1000',
      '--worth',
      '1',
      '--train',
      train,
      '--training-usd',
      '20',
      '--json',
      join(folder, 'a.json'),
    )
    expect(text).toContain('fine-tuned')
    expect(json('a.json')).toMatchObject({ proxy: { accuracy: 1 } })
    await expect(run('adaptation', '--points', points, '--requests', '1', '--worth', '1', '--train', train)).rejects.toThrow(
      /--training-usd belong together/,
    )
    const bare = put('bare.csv', 'model,shots,accuracy\nm,0,0.5\nm,4,0.6\n')
    await expect(run('adaptation', '--points', bare, '--requests', '1', '--worth', '1')).rejects.toThrow(/No input price is known for m/)
    expect(
      await run(
        'adaptation',
        '--points',
        bare,
        '--requests',
        '1000000',
        '--worth',
        '1',
        '--input-price',
        '5',
        '--output-price',
        '5',
        '--budget',
        '1',
      ),
    ).toContain('No option fits the budget of $1.00')
  })

  it('stays readable with numbers that nobody can read', async () => {
    const points = put(
      'huge.csv',
      'model,shots,accuracy,questions,input_price,output_price\nm,0,0.5,200,1,1\nm,2,0.6,200,1,1\nm,4,0.6,200,1,1\n',
    )
    expect(await run('adaptation', '--points', points, '--requests', '1e300', '--worth', '1')).toMatch(/10³⁰⁰ requests to come/)
  })

  it('configuration: the front, and what suits', async () => {
    const measured = put(
      'measured.csv',
      `name,quality,joules,params\n${[1, 2, 4, 8, 16].map((params) => `m${params},${40 + 5 * Math.log2(params)},${10 * params},${params}`).join('\n')}\n`,
    )
    const candidates = put('candidates.csv', 'name,params,quality\nsmall,3,47\nmiddle,6,53\nlarge,12,58\nbad,14,40\n')
    expect(await run('configuration', '--measured', measured, '--candidates', candidates, '--weight', '1')).toContain(
      'Run large: quality 58',
    )
    expect(
      await run('configuration', '--measured', measured, '--candidates', candidates, '--weight', '0', '--least-quality', '50'),
    ).toContain('Run middle')
    const lacking = put('lacking.csv', 'name,params,quality\nsmall,3,47\nbare,,53\n')
    expect(await run('configuration', '--measured', measured, '--candidates', lacking)).toContain(
      'Features that are missing count as average: bare (params).',
    )
    const strange = put('strange.csv', 'name,usd\nsmall,3\n')
    await expect(run('configuration', '--measured', measured, '--candidates', strange)).rejects.toThrow(
      /No candidate has a feature of the measured configurations \(params\)/,
    )
  })

  it('annotation and synthetic data: plans that say what is assumed', async () => {
    const kinds = put('kinds.csv', 'name,usd\npositive,0.4\nhard_negative,0.2\n')
    const points = put('labels.csv', 'name,labels,score\npositive,0,60\npositive,100,63\npositive,400,66\n')
    expect(await run('annotation', '--kinds', kinds, '--points', points, '--budget', '100')).toContain(
      'The curves of hard_negative are assumptions of ours',
    )
    expect(await run('synthetic-data', '--seeds', '100', '--budget', '2', '--usd-per-query', '0.01')).toContain(
      'Make new answers to the seeds: 200 teacher queries, 2 for each seed.',
    )
    expect(await run('synthetic-data', '--seeds', '100', '--budget', '2', '--usd-per-query', '0.01,0.01,0.0001')).toContain(
      'Make new questions',
    )
    await expect(run('synthetic-data', '--seeds', '1', '--budget', '2', '--usd-per-query', '1,2')).rejects.toThrow(/one number, or three/)
  })

  it('agent-run: from past calls, and after some', async () => {
    const calls = Array.from({ length: 12 }, (_, run) =>
      Array.from({ length: 3 + (run % 5) }, (__, at) => `r${run},fix bug ${run},${1_000 + 200 * at},50`),
    ).flat()
    const runs = put('runs.csv', `run,text,input_tokens,output_tokens\n${calls.join('\n')}\n`)
    const prices = ['--input-price', '2', '--output-price', '8', '--json', join(folder, 'run.json')]
    expect(await run('agent-run', '--runs', runs, '--text', 'fix bug 99', ...prices)).toContain(
      'The context grows by about 200 tokens a call',
    )
    expect(json('run.json')).toMatchObject({ runs: 12, callsDone: 0, seen: false })
    const done = put('done.csv', 'input_tokens,output_tokens\n1000,50\n1200,50\n')
    await run('agent-run', '--runs', runs, '--calls', done, ...prices)
    expect(json('run.json')).toMatchObject({ runs: 12, callsDone: 2, inputTokens: { low: expect.closeTo(3_600, 0) as number } })
  })

  it('names file, row and field of what is wrong, and writes nothing', async () => {
    const points = put('wrong.csv', 'model,examples,loss\na,200,3\na,400,much\n')
    await expect(run('fine-tuning', '--points', points, '--target', '1000', '--json', join(folder, 'no.json'))).rejects.toThrow(
      /wrong\.csv, row 2, field loss: is "much"; a number above 0 was expected\./,
    )
    expect(existsSync(join(folder, 'no.json'))).toBe(false)
    await expect(run('fine-tuning', '--points', join(folder, 'absent.csv'), '--target', '1000')).rejects.toThrow(
      /absent\.csv could not be read/,
    )
    await expect(run('fine-tuning', '--points', points, '--target', '-3')).rejects.toThrow(/above 0/)
  })
})
