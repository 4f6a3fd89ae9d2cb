"""The judge: is the newest checkpoint better than the champion? Its ledger says, with the numbers.

    judge = judge.Judge(lab, settings, client, clock)
    wait_s = judge.turn()            # one piece of work; all its state is in the lab
    view.view(lab)                   # for pages and --json

    ledger      verdicts, only ever appended to; what follows is a fold over them
    case        the judgement under way
    problems    fresh held-out problems, and the fixed set
    shelf       models at the node
    acts        carrying a verdict out

It trains nothing, writes no checkpoint and deletes nothing.
"""
