# pragma version 0.4.3
# pragma evm-version paris

"""
@notice A stand-in for EAS, for tests: its `timestamp` and `getTimestamp`, and nothing else of it.
@dev As in EAS.sol, a second timestamp of the same data is refused.
"""

event Timestamped:
    data: indexed(bytes32)
    timestamp: indexed(uint64)


getTimestamp: public(HashMap[bytes32, uint64])


@external
def timestamp(data: bytes32) -> uint64:
    assert self.getTimestamp[data] == 0, "AlreadyTimestamped"
    now: uint64 = convert(block.timestamp, uint64)
    self.getTimestamp[data] = now
    log Timestamped(data=data, timestamp=now)
    return now
