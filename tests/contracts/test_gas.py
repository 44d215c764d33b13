"""What the main flow costs, function by function; a change shows in the diff of gas_snapshot.json.

OPENLEDGER_UPDATE_GAS=1 writes the snapshot anew.
"""



