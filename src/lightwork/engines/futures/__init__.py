"""Engines whose workers belong to somebody else and are reached through futures.

=============  ====================================================================================
`session`      one call's hold on them, for anything that gives futures: a `Packer` and a `Site`
`packing`      batches for workers elsewhere; `packets`: what travels; `remote`: the workers' side
`leaving`      large results that stay with the workers until they are handed out
`local`        batches for threads of this process
`executor`     any ``concurrent.futures.Executor``; `polling`: those whose jobs have to be asked
`dask`         clusters of Dask; `clusters`: those that were opened here; `dask_client`: what is done with one
`ray`          ray; `instances`: the one of this process
`handles`      what both call the functions under way
`scattering`   what many batches need, kept near the workers: a `Carrier` for both
=============  ====================================================================================

An engine over something else that gives futures brings a `Site`, five methods, and gives `FutureSession` a
`RemotePacker`, with a `Carrier` if its workers can keep what many batches need.
"""
