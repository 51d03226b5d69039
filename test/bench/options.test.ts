import { afterEach, expect, it, vi } from 'vitest'
import { benchCommand, benchOptions } from '../../bench/options.js'

const argv = [...process.argv]
afterEach(() => {
  vi.restoreAllMocks()
  process.argv = [...argv]
})

/** What a bench that is started with these arguments says, and with which code it ends; `undefined` where it goes on. */
function started(args: readonly string[], parse: () => unknown): { out: string; err: string; code: unknown; values: unknown } {
  process.argv = ['node', 'bench', ...args]
  let [out, err] = ['', '']
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true))
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true))
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    throw new Error(`ended with ${String(code)}`)
  })
  try {
    return { values: parse(), out, err, code: undefined }
  } catch (ended) {
    return { values: undefined, out, err, code: ended instanceof Error ? ended.message : ended }
  }
}

const own = () =>
  benchOptions('bench:own', 'Measures something.', {
    seed: { type: 'string', takes: 'number', about: 'of everything that is drawn', default: '1' },
    data: { type: 'string', takes: 'name', multiple: true, about: 'which data sets' },
    slow: { type: 'boolean', about: 'take longer', default: false },
  }).values
const commander = () => benchCommand('bench:own').option('--seed <number>', 'of everything that is drawn', '1').parse().opts()

it('options are read, with what stands for those that are left out', () => {
  expect(started(['--data', 'a', '--data', 'b'], own).values).toEqual({ seed: '1', data: ['a', 'b'], slow: false })
  expect(started(['--seed', '7'], commander).values).toEqual({ seed: '7' })
})

it('--help tells every option and ends well', () => {
  expect(started(['--help'], own)).toMatchObject({
    code: 'ended with 0',
    err: '',
    out: `Usage: npm run bench:own -- [options]

Measures something.

Options:
  --seed <number>  of everything that is drawn (default: 1)
  --data <name>    which data sets; may be repeated
  --slow           take longer
  --help           show this
`,
  })
  expect(started(['--help'], commander)).toMatchObject({ code: 'ended with 0', out: expect.stringContaining('--seed <number>') as string })
})

it.each([['--sead', '1'], ['--seed']])('what is not an option ends it with 2 and one line: %s', (...args) => {
  for (const parse of [own, commander]) {
    const { out, err, code } = started(args, parse)
    expect([code, out, err.trimEnd().split('\n').length]).toEqual(['ended with 2', '', 1])
    expect(err).toContain(args[0])
  }
})
