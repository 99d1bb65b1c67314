"""What runs in worker processes and in the template that forks them, and what both ends must agree on.

=================  ==================================================================================
in the template    `template` (forks and reaps workers, ends them with the parent)
in a worker        `worker` · `calls` · `mapped` · `sources` · `outgoing`
on both ends       `channel` (frames) · `wire` (what they mean) · `answers` · `environment` · `page` ·
                   `control` (parent and template)
=================  ==================================================================================

A package of its own, because every module that a template imports delays the first result; the parent's
side, which needs twice as many, is `lightwork.engines.processes`.
"""
