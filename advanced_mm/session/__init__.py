"""``make paper``: the processes of a session, its bots, their audit and the live account.

Names are imported from their modules (`session.PaperSession`), because `orphan_reaper` is also run
as a program of its own and must load little.
"""
