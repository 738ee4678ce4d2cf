# SPDX-License-Identifier: MIT
import datetime
import decimal

import sqlalchemy as sa
from sqlalchemy import event, exc, orm
from sqlalchemy.util import has_compiled_ext


class Base(orm.DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(unique=True)
    born: orm.Mapped[datetime.date | None]
    money: orm.Mapped[decimal.Decimal | None] = orm.mapped_column(sa.Numeric(10, 2))
    pets: orm.Mapped[list["Pet"]] = orm.relationship(back_populates="owner", order_by="Pet.name")


class Pet(Base):
    __tablename__ = "pet"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    owner_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("person.id"))
    owner: orm.Mapped[Person] = orm.relationship(back_populates="pets")


def smoke():
    engine = sa.create_engine("sqlite://")
    statements = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2].split()[0]))
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        ada = Person(name="Ada", born=datetime.date(1815, 12, 10), money=decimal.Decimal("1.50"))
        ada.pets = [Pet(name="Rex"), Pet(name="Mia")]
        session.add_all([ada, Person(name="Alan")])
        session.commit()
        query = sa.select(Person.name, sa.func.count(Pet.id)).outerjoin(Pet).group_by(Person.id).order_by(Person.name)
        counted = [tuple(each) for each in session.execute(query)]
        loaded = session.scalars(sa.select(Person).options(orm.selectinload(Person.pets)).order_by(Person.id)).all()
        people = [(each.name, str(each.born), str(each.money), [pet.name for pet in each.pets]) for each in loaded]
        session.add(Person(name="Ada"))
        try:
            session.commit()
        except exc.IntegrityError as error:
            refused = str(error.orig)
            session.rollback()
    with engine.connect() as connection:
        row = connection.execute(sa.text("select 1 as one, 'x' as two")).one()
    engine.dispose()
    return {
        "compiled": has_compiled_ext(),
        "counted": counted,
        "people": people,
        "row": (row.one, row[1], dict(row._mapping), row == (1, "x")),
        "statements": statements,
        "query": str(query),
        "url": repr(sa.make_url("postgresql://me:secret@localhost/db")),
        "refused": refused,
    }
