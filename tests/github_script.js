// Runs a script as actions/github-script does, on a GitHub in memory that answers as its REST API.
// Takes the script, the event and the state as JSON from standard input; prints comments and log.
const { script, payload, pulls, comments } = JSON.parse(require('fs').readFileSync(0))
const log = []
const BOT = 'github-actions[bot]'

const page = (all, { page = 1, per_page = 30 }) =>
  ({ data: all.slice((page - 1) * per_page, page * per_page) })

function checked(body) {
  if (body.length > 65536) throw new Error('body is too long (maximum is 65536 characters)')
  return body
}

const rest = {
  pulls: {
    list: async query => page(
      pulls.filter(pull => pull.state === query.state && pull.head.label === query.head), query)
  },
  issues: {
    listComments: async query => page(
      comments.filter(comment => comment.issue_number === query.issue_number), query),
    createComment: async ({ issue_number, body }) => comments.push(
      { id: comments.length, issue_number, body: checked(body), user: { login: BOT } }),
    updateComment: async ({ comment_id, body }) => {
      comments.find(comment => comment.id === comment_id).body = checked(body)
    }
  }
}

async function paginate(method, query) {
  const all = []
  for (let page = 1; ; page++) {
    const { data } = await method({ ...query, page })
    if (!data.length) return all
    all.push(...data)
  }
}

const AsyncFunction = (async () => {}).constructor
const context = { payload, repo: { owner: 'us', repo: 'project' } }
const core = { info: line => log.push(line) }
new AsyncFunction('require', 'github', 'context', 'core', script)(
  require, { rest, paginate }, context, core
).then(() => console.log(JSON.stringify({ comments, log })))
